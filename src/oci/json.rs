use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

/// No document of the spec is read beyond this many bytes: 4 MiB, what registries take for a manifest.
pub const JSON_LIMIT: u64 = 4 * 1024 * 1024;

/// Why a document is not the JSON it should be.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("not valid JSON")]
    Syntax { source: serde_json::Error },
    #[error("JSON of another shape than expected")]
    Shape { source: serde_json::Error },
}

/// Parses JSON in which no object has the same key twice: two readers must not see two documents.
///
/// # Errors
/// `Syntax` for what is no JSON, nests too deep or repeats a key; `Shape` when `T` does not fit.
pub fn strict_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonError> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    parser.deserialize_any(UniqueKeys).map_err(|source| JsonError::Syntax { source })?;
    parser.end().map_err(|source| JsonError::Syntax { source })?;
    serde_json::from_slice(bytes).map_err(|source| JsonError::Shape { source })
}

/// Walks a document and keeps nothing but the keys of the objects that are open.
struct UniqueKeys;

impl<'de> serde::de::DeserializeSeed<'de> for UniqueKeys {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(UniqueKeys)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = std::collections::HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if seen.contains(&key) {
                return Err(serde::de::Error::custom(format_args!("key `{}` twice", key.escape_debug())));
            }
            seen.insert(key);
            map.next_value_seed(UniqueKeys)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(strict_json::<serde_json::Value>(br#"{"a":1,"b":{"a":2}}"#).is_ok());
        let twice = strict_json::<serde_json::Value>(br#"{"b":[{"a":1,"a":2}]}"#).unwrap_err();
        assert!(
            matches!(twice, JsonError::Syntax { source } if source.to_string().contains("key `a` twice"))
        );
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = "[".repeat(200_000);
        assert!(strict_json::<serde_json::Value>(deep.as_bytes()).is_err());
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert!(strict_json::<serde_json::Value>(b"{} {}").is_err());
    }
}
