//! Texts that are replaced in answers: nginx's `ngx_http_sub_filter_module`.

use super::charset::MediaTypes;
use crate::config::diagnostics::Report;
use crate::config::syntax::Directive;
use crate::config::table::{Argument, Arguments, Flag, LEVELS, settings, words};
use crate::filter::substitute::Needles;
use crate::script::Template;

settings! {
    /// What is replaced in answers.
    SubFilter {
        "sub_filter" in LEVELS,
        pairs: SubPairs as SubPair = SubPairs::default(),
        "Replaces a text in bodies of a media type of `sub_filter_types`, whatever its case; both may have variables. A level that has any inherits none";

        "sub_filter_once" in LEVELS,
        once: bool as Flag = true,
        "Whether each text is replaced once, or wherever it stands";

        "sub_filter_types" in LEVELS,
        types: MediaTypes as MediaTypes = MediaTypes::html(),
        "The media types in which texts are replaced; in `text/html` they always are, and `*` means all";

        "sub_filter_last_modified" in LEVELS,
        last_modified: bool as Flag = false,
        "Whether the answer keeps `Last-Modified`, and its `ETag` as a weak one";
    }
}

/// Every `sub_filter` of a level.
#[derive(Debug, Clone, Default)]
pub struct SubPairs {
    /// In the order in which they stand.
    pub pairs: Vec<SubPair>,
    /// The search for the texts, where none has a variable.
    pub needles: Option<Needles>,
}

/// `sub_filter`
#[derive(Debug, Clone)]
pub struct SubPair {
    /// What is looked for.
    pub text: Template,
    /// What takes its place.
    pub replacement: Template,
}

impl Argument for SubPair {
    type Value = SubPairs;

    const ARGUMENTS: Arguments = words(2, 2, "string replacement");
    const REPEATABLE: bool = true;

    fn read(into: &mut Option<SubPairs>, directive: &Directive, report: &mut Report) {
        let all = into.get_or_insert_default();
        if directive.argument(0).is_empty() {
            report.emerg("empty search pattern", &directive.argument_position(0));
            return;
        }
        let (Some(text), Some(replacement)) = (report.template(directive, 0), report.template(directive, 1))
        else {
            return;
        };
        all.pairs.push(SubPair { text, replacement });
        let texts: Option<Vec<Box<[u8]>>> =
            all.pairs.iter().map(|pair| Some(pair.text.as_literal()?.as_bytes().into())).collect();
        all.needles = texts.and_then(Needles::new);
    }

    /// No default has any.
    fn print(_: &SubPairs) -> String {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{accepted, in_location, refused};

    #[test]
    fn pairs_are_kept_and_the_search_is_made_where_it_can_be() {
        for (text, pairs, has_needles) in [
            ("", 0, false),
            ("sub_filter a b; sub_filter c $host;", 2, true),
            ("sub_filter a b; sub_filter $host c;", 2, false),
        ] {
            let config = accepted(&in_location(text));
            let said = config.http.servers[0].locations[0].settings.sub_filter.pairs.clone();
            assert_eq!((said.pairs.len(), said.needles.is_some()), (pairs, has_needles), "{text}");
        }
        refused(&in_location("sub_filter '' b;"), "empty search pattern");
    }
}
