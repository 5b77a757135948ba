use std::collections::BTreeMap;

use serde::Deserialize;

use super::api::Api;
use super::request::Request;
use super::{Note, Routing, SecretName, Topic};

/// What idpbuilder writes since v0.8.0: 1024 MiB.
const DEFAULT: u64 = 1024 * 1024 * 1024;

const ANNOTATION: &str = "nginx.ingress.kubernetes.io/proxy-body-size";

#[derive(Deserialize)]
struct Ingress {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// Largest request body that the ingress takes, in bytes; `None` for no limit. The default where it cannot
/// be read, which `notes` then says: a server that takes less answers 413, and the push adapts.
pub(super) async fn body_limit(api: &Api, routing: Routing, notes: &mut Vec<Note>) -> Option<u64> {
    let name = match routing {
        Routing::SubDomain => "my-gitea-custom",
        Routing::Path => "my-gitea-path-oci-root",
    };
    let found = api.get::<Ingress>(&Request::ingress(&SecretName::new("gitea", name))).await;
    let size = match found {
        Ok(found) => found.and_then(|found| found.metadata.annotations?.remove(ANNOTATION)),
        Err(error) => {
            let text = format!("{error}: the ingress is taken to allow bodies of 1024 MiB");
            notes.push(Note::new(Topic::BodyLimit, text));
            None
        }
    };
    let Some(size) = size else { return Some(DEFAULT) };
    match parse(&size) {
        Some(0) => None,
        Some(limit) => Some(limit),
        None => {
            let shown: String = size.chars().take(64).flat_map(char::escape_debug).collect();
            let text = format!("ingress gitea/{name} has the body size `{shown}`, which is read as 1024 MiB");
            notes.push(Note::new(Topic::BodyLimit, text));
            Some(DEFAULT)
        }
    }
}

/// A size as nginx reads it: digits with `k`, `m` or `g` behind them.
fn parse(size: &str) -> Option<u64> {
    let size = size.trim();
    let digits = size.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let factor: u64 = match size.get(digits.len()..)? {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read_as_nginx_reads_them() {
        for (size, expected) in [
            ("1024m", Some(1 << 30)),
            ("512M", Some(512 << 20)),
            ("8k", Some(8192)),
            ("2g", Some(2 << 30)),
            ("1000", Some(1000)),
            (" 1m ", Some(1 << 20)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("-1m", None),
            ("+1m", None),
            ("1.5m", None),
            ("1mb", None),
            ("1 m", None),
            ("18446744073709551615g", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse(size), expected, "{size:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(size in "\\PC{0,24}") {
            let _ = parse(&size);
        }
    }
}
