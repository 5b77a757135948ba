use http::{HeaderMap, HeaderValue, Method, header};

use super::location::{Session, query_value};
use super::transport::{Call, Content};
use crate::oci::{Digest, Repository};
use crate::port::ManifestName;

/// What a manifest may be. Asked for all of them: some registries hide what is not named.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, \
     application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json, \
     application/vnd.docker.distribution.manifest.list.v2+json";
const USER_AGENT: &str = concat!("idpbuilder-push/", env!("CARGO_PKG_VERSION"));

/// What a token is asked for: `repository:NAME:pull,push`, one for each repository of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    /// Whose login is taken.
    repository: Repository,
    parts: Vec<String>,
    door: Door,
}

/// Which part of the server a request goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    Registry,
    /// Gitea's own API, which takes the login itself and none of the registry's tokens.
    Api,
}

impl Scope {
    pub(super) fn of(repository: &Repository) -> Self {
        let parts = vec![format!("repository:{repository}:pull,push")];
        Self { repository: repository.clone(), parts, door: Door::Registry }
    }

    /// For Gitea's own API, with the login for this repository.
    pub(super) fn of_api(repository: &Repository) -> Self {
        Self { repository: repository.clone(), parts: Vec::new(), door: Door::Api }
    }

    /// For a mount: the other repository is read.
    pub(super) fn and_reading(mut self, from: Option<&Repository>) -> Self {
        self.parts.extend(from.map(|from| format!("repository:{from}:pull")));
        self
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    pub(super) fn parts(&self) -> &[String] {
        &self.parts
    }

    pub(super) fn door(&self) -> Door {
        self.door
    }
}

/// How a mount is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mount<'a> {
    No,
    From(&'a Repository),
    /// Gitea finds the blob in any repository that the user may read. A `from` that is not exactly its
    /// name for one, as behind a path prefix, would keep it from looking.
    FromAnywhere,
}

pub(super) fn ping() -> Call<'static> {
    call(Method::GET, "/v2/")
}

pub(super) fn call(method: Method, path: &str) -> Call<'_> {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    Call { method, path, headers, content: Content::Nothing, storing: 0, received: None }
}

/// For HEAD and GET of a manifest.
pub(super) fn reading_manifest(method: Method, path: &str) -> Call<'_> {
    let mut call = call(method, path);
    call.headers.insert(header::ACCEPT, HeaderValue::from_static(MANIFESTS));
    call
}

pub(super) fn manifest_path(repository: &Repository, name: &ManifestName) -> String {
    format!("/v2/{repository}/manifests/{}", name.as_str())
}

pub(super) fn blob_path(repository: &Repository, digest: &Digest) -> String {
    format!("/v2/{repository}/blobs/{digest}")
}

/// Opens an upload session for whatever comes.
pub(super) fn uploads_path(repository: &Repository) -> String {
    format!("/v2/{repository}/blobs/uploads/")
}

/// `digest` is given when the blob is in the same request.
pub(super) fn open_path(
    repository: &Repository,
    mount: Mount<'_>,
    blob: &Digest,
    digest: Option<&Digest>,
) -> String {
    let mut query: Vec<String> = Vec::new();
    let value = query_value(blob.as_ref()).to_string();
    match mount {
        Mount::No => {}
        Mount::FromAnywhere => query.push(format!("mount={value}")),
        Mount::From(from) => {
            query.push(format!("mount={value}"));
            query.push(format!("from={}", query_value(from.as_str())));
        }
    }
    query.extend(digest.map(|_| format!("digest={value}")));
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}{separator}{}", uploads_path(repository), query.join("&"))
}

/// Headers of a body of bytes. `range` is where they belong: bare, without a unit (distribution-spec
/// 1.1, "Pushing a blob in chunks").
pub(super) fn upload<'a>(
    method: Method,
    path: &'a str,
    content: Content<'a>,
    range: Option<&std::ops::Range<u64>>,
) -> Call<'a> {
    let mut call = Call { content, ..call(method, path) };
    call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    let numbered = range.and_then(|range| {
        HeaderValue::from_str(&format!("{}-{}", range.start, range.end.checked_sub(1)?)).ok()
    });
    if let Some(value) = numbered {
        call.headers.insert(header::CONTENT_RANGE, value);
    }
    call
}

pub(super) fn session_path(session: &Session, digest: &Digest) -> String {
    session.with_digest(digest.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::sha256;

    #[test]
    fn a_small_blob_is_mounted_or_sent_in_one_request() {
        let repository = "giteaadmin/web".parse().unwrap();
        let digest = sha256(b"x");
        let path = open_path(&repository, Mount::FromAnywhere, &digest, Some(&digest));
        let hex = digest.digest();
        assert_eq!(
            path,
            format!("/v2/giteaadmin/web/blobs/uploads/?mount=sha256%3A{hex}&digest=sha256%3A{hex}")
        );
    }

    #[test]
    fn a_mount_names_where_from() {
        let repository = "b".parse().unwrap();
        let from = "library/a".parse().unwrap();
        let path = open_path(&repository, Mount::From(&from), &sha256(b"x"), None);
        assert!(path.ends_with("&from=library%2Fa"), "{path}");
        assert_eq!(open_path(&repository, Mount::No, &sha256(b"x"), None), "/v2/b/blobs/uploads/");
    }

    #[test]
    fn a_chunk_says_where_it_belongs_without_a_unit() {
        let call = upload(Method::PATCH, "/x", Content::Nothing, Some(&(16..32)));
        assert_eq!(call.headers.get(header::CONTENT_RANGE).unwrap(), "16-31");
    }

    #[test]
    fn scopes_name_every_repository() {
        let scope = Scope::of(&"a/b".parse().unwrap()).and_reading(Some(&"c".parse().unwrap()));
        assert_eq!(scope.parts(), ["repository:a/b:pull,push", "repository:c:pull"]);
    }
}
