//! The list of what is built in, for programs, as `CycloneDX` has it.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use super::crates::built_in;
use super::{NAME, version};

/// For a platform in Rust's words, or for all of them together. Without a time and a serial number, so that it
/// is the same each time.
pub(crate) fn text(root: &Path, triple: Option<&str>) -> Result<String> {
    let components: Vec<Value> = built_in(root, triple)?
        .iter()
        .map(|one| {
            let url = format!("pkg:cargo/{}@{}", one.name, one.version);
            json!({ "type": "library", "bom-ref": url, "name": one.name, "version": one.version,
                "licenses": [{ "expression": one.license.replace('/', " OR ") }], "purl": url })
        })
        .collect();
    let number = version();
    let own = json!({ "type": "application", "bom-ref": NAME, "name": NAME, "version": number,
        "licenses": [{ "expression": "Apache-2.0" }] });
    let document = json!({ "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": own }, "components": components });
    Ok(format!("{document:#}\n"))
}
