//! Links that a secret has signed: nginx's `ngx_http_secure_link_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, LEVELS, Maybe, Text, one, settings};
use crate::script::Template;

settings! {
    /// What `$secure_link` compares.
    SecureLink {
        "secure_link" in LEVELS,
        link: Option<Template> as Maybe<Text> = None,
        "What a link carries: an MD5 hash in Base64 for URLs, and behind a comma the time at which it expires. May contain variables";

        "secure_link_md5" in LEVELS,
        signed: Option<Template> as Maybe<Text> = None,
        "What the hash of `secure_link` is made of. May contain variables";

        "secure_link_secret" in LEVELS,
        secret: Option<Box<str>> as Word = None,
        "The secret of links of the form `/prefix/hash/link`, whose hash is the MD5 of link and secret, in hexadecimal digits";
    }
}

impl SecureLink {
    /// What is wrong with a level that has these settings, in nginx's words.
    pub(in crate::config) fn complaint(&self) -> Option<&'static str> {
        (self.secret.is_some() && (self.link.is_some() || self.signed.is_some()))
            .then_some("\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"")
    }
}

/// A word without variables.
struct Word;

impl Argument for Word {
    type Value = Option<Box<str>>;

    const ARGUMENTS: Arguments = one("word");

    fn read(into: &mut Option<Self::Value>, directive: &Directive, _: &mut Report) {
        *into = Some(Some(directive.argument(0).into()));
    }

    fn print(_: &Self::Value) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_http, refused};

    #[test]
    fn the_forms_are_not_mixed() {
        let text = "secure_link $arg_md5,$arg_expires; server { secure_link_md5 \"$secure_link_expires$uri s\"; location / { } }";
        let settings = accepted(&in_http(text)).http.servers[0].locations[0].settings.secure_link.clone();
        assert!(settings.link.is_some() && settings.signed.is_some() && settings.secret.is_none());
        for text in
            ["secure_link a; server { secure_link_secret s; }", "secure_link_md5 a; secure_link_secret s;"]
        {
            refused(
                &in_http(text),
                "\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"",
            );
        }
    }
}
