//! What the exit status of `loadgen` says, in one place. `--help` prints [`TABLE`]; a test holds this page and the
//! README to the same words.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | every request succeeded (2xx), or every objective stated with `--slo` was met |
//! | 1 | some request failed, hung or could not be sent and no `--slo` judges that, none succeeded, an `--at` command failed, or loadgen itself could not finish |
//! | 2 | the command line made no sense; nothing was sent |
//! | 3 | an objective was missed, or had too few samples to be judged |
//! | 4 | the target could not be reached, or did not prove its name; nothing was sent |
//! | 5 | the generator was the bottleneck: the figures are its own, not the target's |
//!
//! When several apply, 5 comes before 3 and 3 before 1: figures that are not the target's can judge no objective, and
//! whoever states an objective asks for it rather than for perfection. A run that Ctrl-C ended is judged like any
//! other: what was due until then decides.

/// Every request that was started succeeded, or every objective was met.
pub const SUCCESS: i32 = 0;
/// Some request failed, hung or could not be sent and no objective judges that, none succeeded, or `loadgen` itself
/// could not finish (a thread or an output was refused).
pub const FAILED: i32 = 1;
/// The command line made no sense; nothing was sent.
pub const USAGE: i32 = 2;
/// An objective was missed, or had too few samples to be judged.
pub const OBJECTIVE_MISSED: i32 = 3;
/// The name did not resolve, or no address accepted a connection; nothing was sent.
pub const UNREACHABLE: i32 = 4;
/// The generator was the bottleneck: the figures are its own, not the target's.
pub const SATURATED: i32 = 5;

/// Every code and what it means, in the words that users read. A backquoted word is code.
pub const TABLE: [(i32, &str); 6] = [
    (SUCCESS, "every request succeeded (2xx), or every objective stated with `--slo` was met"),
    (
        FAILED,
        "some request failed, hung or could not be sent and no `--slo` judges that, none succeeded, an `--at` command failed, or loadgen itself could not finish",
    ),
    (USAGE, "the command line made no sense; nothing was sent"),
    (OBJECTIVE_MISSED, "an objective was missed, or had too few samples to be judged"),
    (UNREACHABLE, "the target could not be reached, or did not prove its name; nothing was sent"),
    (SATURATED, "the generator was the bottleneck: the figures are its own, not the target's"),
];

/// The table as `--help` shows it: no line longer than `columns`.
pub fn help(columns: usize) -> String {
    const INDENT: usize = 7;
    let mut help = String::new();
    for (code, meaning) in TABLE {
        let mut line = format!("    {code}  ");
        for word in meaning.split(' ') {
            let word = word.trim_matches('`');
            if line.len() + word.len() > columns {
                help.push_str(line.trim_end());
                help.push('\n');
                line = " ".repeat(INDENT);
            }
            line.push_str(word);
            line.push(' ');
        }
        help.push_str(line.trim_end());
        help.push('\n');
    }
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_says_the_same() {
        let page = include_str!("exit_codes.rs");
        let readme = include_str!("../../README.md");
        for (code, meaning) in TABLE {
            let row = format!("| {code} | {meaning} |");
            assert!(page.lines().any(|line| line == format!("//! {row}")), "this page lacks: {row}");
            assert!(readme.lines().any(|line| line == row), "README.md lacks: {row}");
        }
        let rows = |text: &str, prefix: &str| {
            let rows = text.lines().filter_map(|line| line.strip_prefix(prefix)?.split_once(" | "));
            rows.filter(|(code, _)| code.parse::<i32>().is_ok()).count()
        };
        assert_eq!(rows(page, "//! | "), TABLE.len(), "this page has a row of its own");
    }

    #[test]
    fn the_help_is_the_table_in_lines() {
        let help = help(80);
        assert!(help.lines().all(|line| line.len() <= 80), "{help}");
        let words = |text: &str| text.replace('`', "").split_whitespace().collect::<Vec<_>>().join(" ");
        let table = TABLE.map(|(code, meaning)| format!("{code} {meaning}")).join(" ");
        assert_eq!(words(&help), words(&table));
    }
}
