//! Lists of directories: nginx's `ngx_http_autoindex_module`.

use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, Flag, LEVELS, one, settings};

settings! {
    /// How directories are listed.
    Autoindex {
        "autoindex" in LEVELS,
        enabled: bool as Flag = false,
        "Whether a URI that ends with a slash, and has no index file, lists its directory";

        "autoindex_exact_size" in LEVELS,
        exact_size: bool as Flag = true,
        "Whether a list in HTML has sizes in bytes, rather than rounded to kilobytes and above";

        "autoindex_localtime" in LEVELS,
        local_time: bool as Flag = false,
        "Whether a list in HTML has local times, rather than UTC";

        "autoindex_format" in LEVELS,
        format: AutoindexFormat as AutoindexFormat = AutoindexFormat::Html,
        "What a list is written in";
    }
}

/// `autoindex_format`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoindexFormat {
    /// A page.
    Html,
    /// An array.
    Json,
    /// The array as the argument of the function that the query's `callback` names.
    Jsonp,
    /// An XML document.
    Xml,
}

const FORMATS: [(&str, AutoindexFormat); 4] = [
    ("html", AutoindexFormat::Html),
    ("json", AutoindexFormat::Json),
    ("jsonp", AutoindexFormat::Jsonp),
    ("xml", AutoindexFormat::Xml),
];

impl Argument for AutoindexFormat {
    type Value = Self;

    const ARGUMENTS: Arguments = one("html | xml | json | jsonp");

    fn read(into: &mut Option<Self>, directive: &Directive, report: &mut Report) {
        let written = directive.argument(0);
        match FORMATS.iter().find(|(word, _)| written.eq_ignore_ascii_case(word)) {
            Some((_, format)) => *into = Some(*format),
            None => {
                let message = format!("invalid value \"{written}\"");
                let hint = "\"autoindex_format\" accepts html, xml, json and jsonp";
                report.emerg_hint(message, &directive.argument_position(0), hint);
            }
        }
    }

    fn print(value: &Self) -> String {
        FORMATS.iter().find(|(_, format)| format == value).map_or("", |(word, _)| *word).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::AutoindexFormat;
    use crate::config::testing::{accepted, in_location, in_server, refused};

    #[test]
    fn each_is_read_and_inherited() {
        let config = accepted(&in_server(
            "autoindex on; autoindex_format xml; location /a { autoindex_exact_size off; autoindex_localtime on; } \
             location /b { autoindex off; autoindex_format html; }",
        ));
        let of = |index: usize| config.http.servers[0].locations[index].settings.autoindex.clone();
        let (first, second) = (of(0), of(1));
        assert!(first.enabled && !first.exact_size && first.local_time);
        assert_eq!(first.format, AutoindexFormat::Xml);
        assert!(!second.enabled && second.exact_size && !second.local_time);
        assert_eq!(second.format, AutoindexFormat::Html);
        refused(&in_location("autoindex_format yaml;"), "invalid value \"yaml\"");
    }
}
