//! The contexts of docker's command line, as docker/cli keeps them: a folder of metadata and one of TLS
//! files for each, named for the SHA-256 of the context's name.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::address::{Address, TlsFiles};
use crate::oci::sha256;
use crate::source::shown::{shown, shown_path};

/// What docker calls the engine that it asks without a context.
pub(super) const DEFAULT: &str = "default";
/// No file is read beyond this many bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    endpoints: BTreeMap<String, Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    #[serde(default)]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// The context that `docker context use` chose; `None` for the default one.
///
/// # Errors
/// When docker's config is there and cannot be read.
pub(super) fn current(folder: &Path) -> Result<Option<String>, String> {
    let config: Option<Config> = read(&folder.join("config.json"))?;
    let name = config.and_then(|config| config.current_context);
    Ok(name.filter(|name| !name.is_empty() && name != DEFAULT))
}

/// Where the engine of a context is.
///
/// # Errors
/// When there is no such context, or its engine cannot be asked from here.
pub(super) fn address(folder: &Path, name: &str) -> Result<Address, String> {
    let id = sha256(name.as_bytes()).digest().to_owned();
    let meta: Option<Meta> = read(&folder.join("contexts/meta").join(&id).join("meta.json"))?;
    let Some(mut meta) = meta else {
        return Err("there is no such context; `docker context ls` shows all".to_owned());
    };
    let Some(endpoint) = meta.endpoints.remove("docker") else {
        return Err("it names no engine of Docker".to_owned());
    };
    let certificates = folder.join("contexts/tls").join(id).join("docker");
    let tls = match (certificates.is_dir(), endpoint.skip_tls_verify) {
        (_, true) => return Err("it leaves the engine's certificate unchecked".to_owned()),
        (true, false) => Some(TlsFiles::of(&certificates)?),
        (false, false) => None,
    };
    Address::parse(&endpoint.host, tls).map_err(|reason| format!("`{}`: {reason}", shown(&endpoint.host)))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, String> {
    let failed = |reason: String| format!("could not read {}: {reason}", shown_path(path));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(FILE_LIMIT).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn folder(name: &str, meta: &Value) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let id = sha256(name.as_bytes()).digest().to_owned();
        let at = dir.path().join("contexts/meta").join(id);
        std::fs::create_dir_all(&at).unwrap();
        std::fs::write(at.join("meta.json"), meta.to_string()).unwrap();
        dir
    }

    fn docker(host: &str) -> Value {
        json!({"Name": "colima", "Metadata": {"Description": "colima"}, "Endpoints": {"docker": {"Host": host}}})
    }

    #[test]
    fn a_context_is_found_by_the_hash_of_its_name() {
        let dir = folder("colima", &docker("unix:///home/a/.colima/default/docker.sock"));
        let expected = Address::Socket("/home/a/.colima/default/docker.sock".into());
        assert_eq!(address(dir.path(), "colima"), Ok(expected));
        assert!(address(dir.path(), "other").unwrap_err().contains("no such context"));
    }

    #[test]
    fn a_config_without_content_names_no_context() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", " \n"] {
            std::fs::write(dir.path().join("config.json"), text).unwrap();
            assert_eq!(current(dir.path()), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn a_context_with_certificates_has_tls() {
        let dir = folder("remote", &docker("tcp://127.0.0.1:2376"));
        let id = sha256(b"remote").digest().to_owned();
        let tls = dir.path().join("contexts/tls").join(id).join("docker");
        std::fs::create_dir_all(&tls).unwrap();
        assert!(address(dir.path(), "remote").unwrap_err().contains("ca.pem is missing"));
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            std::fs::write(tls.join(name), "x").unwrap();
        }
        assert!(matches!(address(dir.path(), "remote"), Ok(Address::Tls { .. })));
    }

    #[test]
    fn what_a_context_cannot_say_is_told() {
        let skips = json!({"Endpoints": {"docker": {"Host": "tcp://x:1", "SkipTLSVerify": true}}});
        let kubernetes = json!({"Endpoints": {"kubernetes": {"Host": "https://x"}}});
        for (meta, reason) in [
            (docker("ssh://user@host"), "`ssh://user@host`: ssh is not supported"),
            (skips, "unchecked"),
            (kubernetes, "no engine of Docker"),
            (json!("x"), "could not read"),
        ] {
            let dir = folder("x", &meta);
            assert!(address(dir.path(), "x").unwrap_err().contains(reason), "{meta}");
        }
    }

    #[test]
    fn the_default_context_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(current(dir.path()), Ok(None));
        for (config, name) in [
            (r#"{"currentContext":"colima","auths":{}}"#, Some("colima")),
            (r#"{"currentContext":"default"}"#, None),
            (r#"{"currentContext":""}"#, None),
            ("{}", None),
        ] {
            std::fs::write(dir.path().join("config.json"), config).unwrap();
            assert_eq!(current(dir.path()), Ok(name.map(str::to_owned)), "{config}");
        }
        std::fs::write(dir.path().join("config.json"), "{").unwrap();
        assert!(current(dir.path()).is_err());
    }
}
