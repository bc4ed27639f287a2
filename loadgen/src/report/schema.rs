//! The schemas of what `--json` and `ab --json` print (JSON Schema, draft 2020-12), made from the very types that are
//! printed.
//!
//! They stand in the repository as `docs/loadgen.schema.json` and `docs/loadgen-ab.schema.json`; a test holds them to
//! the types, and others hold what real runs print to them.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};

use crate::ab::summary::AbSummary;
use crate::summary::Summary;

/// The schema of a run's summary, indented, with a newline at its end.
///
/// # Errors
/// When a default of a type cannot be written as JSON; so do the others.
pub fn of_run() -> serde_json::Result<String> {
    schema::<Summary>("The result of one run of loadgen")
}

/// The schema of what `ab --json` prints.
pub fn of_comparison() -> serde_json::Result<String> {
    schema::<AbSummary>("The result of one comparison by loadgen ab")
}

fn schema<T: JsonSchema>(title: &str) -> serde_json::Result<String> {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    Unwrapped.transform(&mut schema);
    schema.insert("title".to_owned(), title.into());
    let mut text = serde_json::to_string_pretty(&schema)?;
    text.push('\n');
    Ok(text)
}

/// Descriptions in one line: where a line of a comment in the source ends means nothing to a reader of the schema.
struct Unwrapped;

impl Transform for Unwrapped {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(serde_json::Value::String(text)) = schema.get_mut("description") {
            *text = text.replace('\n', " ");
        }
        transform_subschemas(self, schema);
    }
}
