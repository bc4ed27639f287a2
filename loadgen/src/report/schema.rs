//! The schema of what `--json` prints (JSON Schema, draft 2020-12), made from the very types that are printed.
//!
//! It stands in the repository as `docs/loadgen.schema.json`; a test holds it to the types, and others hold what real
//! runs print to it.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};

use crate::summary::Summary;

/// The schema, indented, with a newline at its end.
///
/// # Errors
/// When a default of a type cannot be written as JSON.
pub fn schema() -> serde_json::Result<String> {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Summary>();
    Unwrapped.transform(&mut schema);
    schema.insert("title".to_owned(), "The result of one run of loadgen".into());
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
