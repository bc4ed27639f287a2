//! The summary for scripts: one JSON object on standard output, and nothing else there.

use std::io::{self, Write};

use crate::summary::Summary;

/// Writes the summary, indented, with a newline at its end.
///
/// # Errors
/// What the output says.
pub fn summary(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, summary)?;
    writeln!(out)
}
