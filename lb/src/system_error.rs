//! Errors of the operating system as nginx prints them: `(13: Permission denied)`.

use std::fmt;
use std::io;

/// Shows an [`io::Error`] as `(NUMBER: TEXT)`, or as `(TEXT)` when it carries no number.
///
/// People search their logs, and the web, for exactly this form.
#[derive(Debug)]
pub struct SystemError<'a>(pub &'a io::Error);

impl fmt::Display for SystemError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({})", number_first(&self.0.to_string()))
    }
}

/// The same, without parentheses, for the text of an error that arrives in wrappers: the standard library ends it with
/// ` (os error 13)`.
pub fn number_first(text: &str) -> String {
    match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (os error ")) {
        Some((message, number)) => format!("{number}: {message}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_stands_before_the_systems_own_text() {
        let refused = io::Error::from_raw_os_error(13);
        assert_eq!(SystemError(&refused).to_string(), "(13: Permission denied)");
        let odd = io::Error::other("no thread left");
        assert_eq!(SystemError(&odd).to_string(), "(no thread left)");
        assert_eq!(number_first("Connection refused (os error 111)"), "111: Connection refused");
        assert_eq!(number_first("something else (1)"), "something else (1)");
    }
}
