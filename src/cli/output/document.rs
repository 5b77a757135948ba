use serde::Serialize;

use crate::cli::settings::Form;

/// A document for programs, with a line's end. What is written here cannot fail to be.
pub(in crate::cli) fn document<T: Serialize>(value: &T, form: Form) -> String {
    match form {
        Form::Json => serde_json::to_string_pretty(value).unwrap_or_default() + "\n",
        Form::Yaml => yaml(value),
    }
}

/// One line for each value, however long: it is read by tools that know lines.
fn yaml<T: Serialize>(value: &T) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn a_value_has_one_line_in_yaml() {
        let digest = format!("r/web:1@sha256:{}", "0".repeat(64));
        let text =
            document(&json!({ "images": [{ "digest": digest, "size": 1, "error": null }] }), Form::Yaml);
        assert_eq!(text, format!("images:\n- digest: {digest}\n  error: null\n  size: 1\n"));
    }

    #[test]
    fn what_yaml_could_take_for_something_else_stays_a_text() {
        let texts = [
            "yes",
            "1.0",
            "1e3",
            "0o7",
            "~",
            "null",
            "",
            " x ",
            "- a",
            "a: b",
            "#",
            "2001-01-01",
            "1:2",
            "\n",
            "\u{1b}",
        ];
        for text in texts {
            assert_eq!(
                read(&document(&json!({ "of": [text] }), Form::Yaml)),
                json!({ "of": [text] }),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn both_forms_are_one_document(
            texts in prop::collection::vec("(\\PC|[\\n\\t:#'\"\\\\ -]){0,40}", 0..4), number in any::<u64>()
        ) {
            let value = json!({ "texts": texts, "number": number, "none": null, "empty": {}, "yes": true });
            prop_assert_eq!(&read(&document(&value, Form::Yaml)), &value);
            let json: Value = serde_json::from_str(&document(&value, Form::Json)).unwrap();
            prop_assert_eq!(&json, &value);
        }
    }
}
