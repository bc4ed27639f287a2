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
        let text = self.0.to_string();
        match self.0.raw_os_error() {
            // The standard library appends its own " (os error 13)" to the system's text.
            Some(number) => {
                let own_suffix = format!(" (os error {number})");
                write!(f, "({number}: {})", text.strip_suffix(&own_suffix).unwrap_or(&text))
            }
            None => write!(f, "({text})"),
        }
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
    }
}
