//! The character set in `Content-Type`: nginx's `ngx_http_charset_module`, without its conversion of texts.

use std::collections::BTreeSet;

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{
    Argument, Arguments, FLAG, IF_IN_LOCATION, LEVELS, Row, at_least, no_effect, one, refused, settings,
};
use crate::script::Template;

settings! {
    /// The character set of answers.
    Charset {
        "charset" in LEVELS.or(IF_IN_LOCATION),
        name: Option<Template> as CharsetName = None,
        "What `; charset=` of `Content-Type` says where a media type of `charset_types` has none; an `X-Accel-Charset` that the configuration knows takes its place",
        differs "texts are not converted, and an empty variable adds nothing, where nginx ends the connection";

        "source_charset" in LEVELS.or(IF_IN_LOCATION),
        source: Option<Template> as CharsetName = None,
        "The character set that answers have",
        differs "texts are not converted, so one that is not that of `charset` is refused";

        "charset_types" in LEVELS,
        types: MediaTypes as MediaTypes = nginxs_own(),
        "The media types that get a character set; `text/html` always does, and `*` means all";
    }
}

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    no_effect("override_charset", LEVELS.or(IF_IN_LOCATION), FLAG, "texts are not converted, so an answer keeps the character set that it has")
        .harmless(&["off"]),
    refused("charset_map", crate::config::table::HTTP, "texts are not converted").with_block(),
];

/// The media types that a setting applies to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaTypes {
    /// `*`
    All,
    /// These, in lower case.
    Listed(BTreeSet<String>),
}

const ALWAYS: &str = "text/html";

/// nginx's default.
fn nginxs_own() -> MediaTypes {
    let types = [
        ALWAYS,
        "text/xml",
        "text/plain",
        "text/vnd.wap.wml",
        "application/javascript",
        "application/rss+xml",
    ];
    MediaTypes::Listed(types.into_iter().map(str::to_owned).collect())
}

impl MediaTypes {
    /// `text/html` alone: what nginx's filters begin with.
    pub(in crate::config) fn html() -> Self {
        Self::Listed(BTreeSet::from([ALWAYS.to_owned()]))
    }

    /// Whether a media type, without parameters, is one of them. nginx compares without case.
    pub fn contains(&self, media_type: &str) -> bool {
        match self {
            Self::All => true,
            Self::Listed(types) if types.contains(media_type) => true,
            Self::Listed(types) => {
                media_type.bytes().any(|byte| byte.is_ascii_uppercase())
                    && types.contains(&media_type.to_ascii_lowercase())
            }
        }
    }
}

impl Argument for MediaTypes {
    type Value = Self;

    const ARGUMENTS: Arguments = at_least(1, "type …");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let place = into.get_or_insert_with(Self::html);
        for (index, word) in directive.words().enumerate() {
            if word == "*" {
                *place = Self::All;
                continue;
            }
            let Self::Listed(types) = place else { continue };
            if !types.insert(word.to_ascii_lowercase()) {
                let message = format!("duplicate MIME type \"{word}\"");
                report.warn(message, &directive.argument_position(index));
            }
        }
    }

    fn print(value: &Self) -> String {
        match value {
            Self::All => "*".to_owned(),
            Self::Listed(types) => types.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
        }
    }
}

/// `off`, or a name with variables.
struct CharsetName;

impl Argument for CharsetName {
    type Value = Option<Template>;

    const ARGUMENTS: Arguments = one("charset | off");

    fn read(into: &mut Option<Self::Value>, directive: &Directive, report: &mut Report) {
        if directive.argument(0) == "off" {
            *into = Some(None);
        } else if let Some(name) = report.header_value(directive, 0) {
            *into = Some(Some(name));
        }
    }

    fn print(value: &Self::Value) -> String {
        value.as_ref().and_then(Template::as_literal).unwrap_or("off").to_owned()
    }
}

impl Charset {
    /// nginx's words where the two names would need a conversion of the texts.
    pub(in crate::config) fn complaint(&self) -> Option<String> {
        let (from, to) = (self.source.as_ref()?.as_literal()?, self.name.as_ref()?.as_literal()?);
        if from.eq_ignore_ascii_case(to) {
            return None;
        }
        Some(format!("no \"charset_map\" between the charsets \"{from}\" and \"{to}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::MediaTypes;
    use crate::config::model::Charset;
    use crate::config::testing::{accepted, in_http, in_location, in_server, refused, warnings};

    fn settings(text: &str) -> Charset {
        let config = accepted(&in_server(&format!("{text} location / {{ }}")));
        Charset::clone(&config.http.servers[0].locations[0].settings.charset)
    }

    #[test]
    fn a_name_and_the_types_that_get_it() {
        assert!(settings("").name.is_none());
        assert!(settings("charset off;").name.is_none());
        let said = settings("charset utf-8; source_charset UTF-8;");
        assert_eq!(said.name.unwrap().as_literal(), Some("utf-8"));
        assert!(settings("charset $host;").name.unwrap().as_literal().is_none());
        let types = said.types;
        for (media_type, listed) in
            [("text/html", true), ("Text/HTML", true), ("text/css", false), ("application/javascript", true)]
        {
            assert_eq!(types.contains(media_type), listed, "{media_type}");
        }
        let types = settings("charset_types text/css; charset_types a/B;").types;
        for (media_type, listed) in
            [("text/html", true), ("a/b", true), ("text/css", true), ("text/xml", false)]
        {
            assert_eq!(types.contains(media_type), listed, "{media_type}");
        }
        assert_eq!(settings("charset_types text/css *;").types, MediaTypes::All);
    }

    #[test]
    fn mistakes() {
        refused(
            &in_location("charset utf-8; source_charset koi8-r;"),
            "no \"charset_map\" between the charsets \"koi8-r\" and \"utf-8\"",
        );
        refused(&in_http("charset_map a b { }"), "nginx's directive \"charset_map\" is not supported");
        assert!(warnings(&in_location("charset_types text/html;"))[0].contains("duplicate MIME type"));
        assert!(warnings(&in_location("override_charset on;"))[0].contains("has no effect here"));
    }
}
