use std::fmt;

use crate::oci::{NameError, Repository, Tag, reference};
use crate::port::{FoundImage, Suggested};

/// Names without a registry are Docker Hub's, and its official images are below `library`.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// The registry's name as it stands in references: `host` or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryHost(pub String);

/// Who owns repositories below the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Given by `--owner` or by the path of `--registry HOST/PATH`.
    Named(String),
    /// The user name of the login. That it is written in lower case is a matter of course.
    User(String),
    /// Only the cluster knows it; shown as `<owner>` by `list`.
    Unknown,
    /// Repositories stand below the registry itself.
    None,
}

/// Which part of a source's name is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathPart {
    #[default]
    Last,
    Whole,
}

/// What the target takes beyond the spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NameRules {
    #[default]
    Oci,
    /// No `__`, no `--`; tags are folded to lower case.
    Gitea,
}

/// `--as NAME[:TAG]`: a bare name goes below the owner, a name with a slash is the whole path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub name: String,
    pub tag: Option<Tag>,
}

/// How a source's name becomes a target.
#[derive(Debug, Clone)]
pub struct Naming {
    pub registry: RegistryHost,
    pub owner: Owner,
    pub path: PathPart,
    pub rules: NameRules,
    pub rename: Option<Rename>,
    /// `--tag`: replaces the source's own.
    pub tags: Vec<Tag>,
}

impl Naming {
    /// The last part of an image's own name with its own tags, below this owner.
    #[must_use]
    pub fn new(registry: RegistryHost, owner: Owner) -> Self {
        let (path, rules) = (PathPart::Last, NameRules::Oci);
        Self { registry, owner, path, rules, rename: None, tags: Vec::new() }
    }
}

/// Where an image goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    pub registry: RegistryHost,
    pub repository: Repository,
    pub tag: Tag,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry.0, self.repository, self.tag)
    }
}

/// An image's targets, and what was changed on the way that the user should know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    pub targets: Vec<Target>,
    pub notes: Vec<String>,
}

/// Why an image has no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("invalid image name `{}`: {reason}", name.escape_debug())]
    Name { name: String, reason: String },
    #[error("invalid image name `{}`: repository names are lower case", name.escape_debug())]
    UpperCase { name: String, suggestion: String },
    #[error("invalid image name `{name}`: Gitea takes no {found:?} in names")]
    GiteaName { name: String, found: &'static str, suggestion: String },
    /// Neither the image nor what it came from.
    #[error("the image has no name")]
    NoName,
    #[error("`{name}` has a digest and no tag")]
    NoTag { name: String },
    #[error("`{target}` would be two different images")]
    Collision { target: String, sources: Vec<String> },
    #[error("one name for {images} images")]
    RenameOfMany { images: usize },
}

/// A source's name, taken apart.
#[derive(Default)]
struct Parts {
    /// Set where the name is one of the target's registry already. On Docker Hub every name without a
    /// registry is one, so that an owner who was given goes before it; the official images are nobody's.
    here: bool,
    path: String,
    tag: Option<Tag>,
    has_digest: bool,
}

impl Naming {
    /// The targets of one image. Names that cannot be a target are left out with a note as long as
    /// another name can.
    ///
    /// # Errors
    /// When no name of the image can be a target.
    pub fn name(&self, image: &FoundImage) -> Result<Named, TargetError> {
        self.named(&image.suggested, &image.fallback)
    }

    /// The same by the names alone.
    ///
    /// # Errors
    /// As for `name`.
    pub fn named(&self, suggested: &[Suggested], fallback: &str) -> Result<Named, TargetError> {
        let mut named = Named::default();
        let mut refused = None;
        for suggested in suggestions(suggested, fallback) {
            match self.targets_of(&suggested, fallback, &mut named.notes) {
                Ok(targets) => {
                    for target in targets {
                        if !named.targets.contains(&target) {
                            named.targets.push(target);
                        }
                    }
                }
                Err(error) => {
                    named.notes.push(format!("{error}; this name is left out"));
                    refused.get_or_insert(error);
                }
            }
        }
        match refused {
            Some(error) if named.targets.is_empty() => Err(error),
            _ => Ok(named),
        }
    }

    /// The repository of an image with this plain name.
    ///
    /// # Errors
    /// When the registry or the owner has none of that name.
    pub fn repository_of(&self, name: &str) -> Result<Repository, TargetError> {
        self.repository(&Parts { path: name.to_owned(), ..Parts::default() }, &mut Vec::new())
    }

    fn targets_of(
        &self,
        suggested: &Suggested,
        fallback: &str,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Target>, TargetError> {
        let (name, tag) = match suggested {
            Suggested::Reference(name) => (name.as_str(), None),
            Suggested::Tag(tag) => (fallback, Some(tag.clone())),
        };
        // A name that is replaced need not be one.
        let parts = match &self.rename {
            Some(_) => self.parts(name).unwrap_or_default(),
            None => self.parts(name)?,
        };
        let parts = Parts { tag: tag.or(parts.tag), ..parts };
        let repository = self.repository(&parts, notes)?;
        let tags = self.tags_of(&parts, suggested)?;
        tags.into_iter()
            .map(|tag| {
                let tag = self.folded(tag, notes)?;
                Ok(Target { registry: self.registry.clone(), repository: repository.clone(), tag })
            })
            .collect()
    }

    fn parts(&self, name: &str) -> Result<Parts, TargetError> {
        // What standard input holds may have no name at all.
        if name.is_empty() {
            return Err(TargetError::NoName);
        }
        let written = name.strip_prefix(&self.registry.0).is_some_and(|rest| rest.starts_with('/'));
        // An owner is written as Gitea shows it (`giteaAdmin`); its repositories are lower case.
        let text = if written { lower_case_owner(name, self.registry.0.len() + 1) } else { name.to_owned() };
        let reference = reference(&text).map_err(|error| name_error(name, &error))?;
        let path = reference.repository();
        let on_hub = matches!(reference.registry(), DOCKER_HUB | "registry-1.docker.io");
        let official = path.strip_prefix("library/").filter(|_| on_hub);
        let here = match self.registry.0.as_str() {
            DOCKER_HUB => on_hub && official.is_none() && !matches!(self.owner, Owner::Named(_)),
            _ => written,
        };
        let path = official.unwrap_or(path);
        let tagged = text.rsplit_once('/').map_or(text.as_str(), |(_, last)| last);
        let tagged = tagged.split_once('@').map_or(tagged, |(name, _)| name);
        let tag = reference.tag().filter(|_| tagged.contains(':')).and_then(|tag| tag.parse().ok());
        Ok(Parts { here, path: path.to_owned(), tag, has_digest: reference.digest().is_some() })
    }

    fn repository(&self, parts: &Parts, notes: &mut Vec<String>) -> Result<Repository, TargetError> {
        let path = match &self.rename {
            Some(rename) if rename.name.contains('/') => rename.name.clone(),
            Some(rename) => self.below_owner(&rename.name, notes),
            None if parts.here => parts.path.clone(),
            None => self.below_owner(self.kept(&parts.path), notes),
        };
        let repository = path.parse::<Repository>().map_err(|error| repository_error(&path, &error))?;
        self.check_rules(&repository)?;
        Ok(repository)
    }

    fn kept<'a>(&self, path: &'a str) -> &'a str {
        match self.path {
            PathPart::Whole => path,
            PathPart::Last => path.rsplit('/').next().unwrap_or(path),
        }
    }

    fn below_owner(&self, name: &str, notes: &mut Vec<String>) -> String {
        match &self.owner {
            Owner::None => name.to_owned(),
            Owner::Unknown => format!("owner/{name}"),
            Owner::User(owner) => format!("{}/{name}", owner.to_lowercase()),
            Owner::Named(owner) => {
                let lower = owner.to_lowercase();
                if lower != *owner {
                    let note = format!("owner `{owner}` is written `{lower}` in image names");
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                }
                format!("{lower}/{name}")
            }
        }
    }

    fn tags_of(&self, parts: &Parts, suggested: &Suggested) -> Result<Vec<Tag>, TargetError> {
        if !self.tags.is_empty() {
            return Ok(self.tags.clone());
        }
        if let Some(tag) = self.rename.as_ref().and_then(|rename| rename.tag.clone()) {
            return Ok(vec![tag]);
        }
        match (&parts.tag, suggested) {
            (Some(tag), _) => Ok(vec![tag.clone()]),
            (None, Suggested::Reference(name)) if parts.has_digest => {
                Err(TargetError::NoTag { name: name.clone() })
            }
            (None, _) => Ok(vec![Tag::latest()]),
        }
    }

    fn check_rules(&self, repository: &Repository) -> Result<(), TargetError> {
        if self.rules == NameRules::Oci {
            return Ok(());
        }
        let name = repository.as_str();
        match ["__", "--"].into_iter().find(|run| name.contains(run)) {
            None => Ok(()),
            Some(found) => Err(TargetError::GiteaName {
                name: name.to_owned(),
                found,
                suggestion: single_separators(name.rsplit('/').next().unwrap_or(name)),
            }),
        }
    }

    fn folded(&self, tag: Tag, notes: &mut Vec<String>) -> Result<Tag, TargetError> {
        let lower = tag.as_str().to_ascii_lowercase();
        if self.rules == NameRules::Oci || lower == tag.as_str() {
            return Ok(tag);
        }
        notes.push(format!("Gitea keeps tags in lower case: `{tag}` becomes `{lower}`"));
        lower.parse().map_err(|error: NameError| TargetError::Name { name: lower, reason: error.to_string() })
    }
}

fn suggestions(suggested: &[Suggested], fallback: &str) -> Vec<Suggested> {
    if suggested.is_empty() {
        return vec![Suggested::Reference(fallback.to_owned())];
    }
    suggested.to_vec()
}

fn lower_case_owner(name: &str, start: usize) -> String {
    let (host, path) = name.split_at_checked(start).unwrap_or((name, ""));
    match path.split_once('/') {
        Some((owner, rest)) => format!("{host}{}/{rest}", owner.to_lowercase()),
        None => name.to_owned(),
    }
}

fn single_separators(name: &str) -> String {
    let mut kept = String::new();
    for c in name.chars() {
        if !(matches!(c, '_' | '-') && kept.ends_with(c)) {
            kept.push(c);
        }
    }
    kept
}

fn name_error(name: &str, error: &oci_client::ParseError) -> TargetError {
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (name, None),
    };
    let suggestion = path.to_lowercase() + &tag.map(|tag| format!(":{tag}")).unwrap_or_default();
    if path.chars().any(char::is_uppercase) && reference(&suggestion).is_ok() {
        return TargetError::UpperCase { name: name.to_owned(), suggestion };
    }
    TargetError::Name { name: name.to_owned(), reason: error.to_string() }
}

fn repository_error(path: &str, error: &NameError) -> TargetError {
    match error {
        NameError::UpperCase { .. } => {
            TargetError::UpperCase { name: path.to_owned(), suggestion: path.to_lowercase() }
        }
        NameError::Repository { reason, .. } | NameError::Tag { reason, .. } => {
            TargetError::Name { name: path.to_owned(), reason: (*reason).to_owned() }
        }
        NameError::EmptyRepository { .. } => {
            TargetError::Name { name: path.to_owned(), reason: "it is empty".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::port::{Content, SourceName};

    const HOST: &str = "gitea.cnoe.localtest.me:8443";

    #[test]
    fn an_image_without_any_name_needs_one() {
        let tag = || vec![Suggested::Tag("1.0".parse().unwrap())];
        for suggested in [Vec::new(), tag()] {
            let nameless = FoundImage { fallback: String::new(), ..image(suggested) };
            assert_eq!(naming().name(&nameless), Err(TargetError::NoName));
        }
        let nameless = FoundImage { fallback: String::new(), ..image(tag()) };
        let rename = Some(Rename { name: "team/web".into(), tag: None });
        let named = Naming { rename, ..naming() }.name(&nameless).unwrap();
        assert_eq!(named.targets[0].to_string(), format!("{HOST}/team/web:1.0"));
    }

    fn naming() -> Naming {
        Naming {
            registry: RegistryHost(HOST.into()),
            owner: Owner::Named("giteaAdmin".into()),
            path: PathPart::Last,
            rules: NameRules::Gitea,
            rename: None,
            tags: Vec::new(),
        }
    }

    fn image(suggested: Vec<Suggested>) -> FoundImage {
        FoundImage {
            source: SourceName("app.tar".into()),
            suggested,
            fallback: "app".into(),
            content: Content::Unpacked { config: Bytes::new(), layers: Vec::new(), exact: None },
            platforms: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn targets(naming: &Naming, names: &[&str]) -> Vec<String> {
        let suggested = names.iter().map(|name| Suggested::Reference((*name).to_owned())).collect();
        let targets = naming.name(&image(suggested)).unwrap().targets;
        targets.iter().map(|t| t.to_string().replace(HOST, "HOST")).collect()
    }

    fn error(naming: &Naming, name: &str) -> TargetError {
        naming.name(&image(vec![Suggested::Reference(name.to_owned())])).unwrap_err()
    }

    #[test]
    fn the_last_part_of_a_name_goes_below_the_owner_in_lower_case() {
        let n = naming();
        for (name, target) in [
            ("myapp:dev", "HOST/giteaadmin/myapp:dev"),
            ("myapp", "HOST/giteaadmin/myapp:latest"),
            ("team/api:2.1", "HOST/giteaadmin/api:2.1"),
            ("docker.io/library/nginx:1.27", "HOST/giteaadmin/nginx:1.27"),
            ("localhost/web:1", "HOST/giteaadmin/web:1"),
            ("ghcr.io:443/a/b/c:x", "HOST/giteaadmin/c:x"),
        ] {
            assert_eq!(targets(&n, &[name]), [target], "{name}");
        }
    }

    #[test]
    fn a_name_of_this_registry_keeps_its_path_with_the_owner_in_lower_case() {
        assert_eq!(
            targets(&naming(), &[&format!("{HOST}/giteaAdmin/deep/web:1")]),
            ["HOST/giteaadmin/deep/web:1"]
        );
    }

    #[test]
    fn docker_hub_keeps_the_paths_of_its_users_and_gives_the_user_what_has_none() {
        let registry = RegistryHost("docker.io".into());
        let user = Naming {
            registry: registry.clone(),
            owner: Owner::User("Me".into()),
            rules: NameRules::Oci,
            ..naming()
        };
        for (name, target) in [
            ("nginx:1", "docker.io/me/nginx:1"),
            ("docker.io/library/nginx:1", "docker.io/me/nginx:1"),
            ("index.docker.io/library/nginx:1", "docker.io/me/nginx:1"),
            ("registry-1.docker.io/team/web", "docker.io/team/web:latest"),
            ("docker.io/team/web:1", "docker.io/team/web:1"),
            ("team/web:1", "docker.io/team/web:1"),
            ("ghcr.io/team/web:1", "docker.io/me/web:1"),
            ("localhost/web:1", "docker.io/me/web:1"),
        ] {
            assert_eq!(targets(&user, &[name]), [target], "{name}");
        }
        let given = Naming { owner: Owner::Named("acme".into()), ..user };
        for name in ["nginx:1", "team/nginx:1", "docker.io/team/nginx:1"] {
            assert_eq!(targets(&given, &[name]), ["docker.io/acme/nginx:1"], "{name}");
        }
    }

    #[test]
    fn the_whole_path_is_kept_when_asked() {
        let n = Naming { path: PathPart::Whole, ..naming() };
        assert_eq!(targets(&n, &["team/api:2.1"]), ["HOST/giteaadmin/team/api:2.1"]);
        assert_eq!(targets(&n, &["nginx"]), ["HOST/giteaadmin/nginx:latest"]);
    }

    #[test]
    fn without_a_name_the_stem_serves_and_keeps_the_tag() {
        let tag = Suggested::Tag("1.0".parse().unwrap());
        let named = naming().name(&image(vec![tag])).unwrap();
        assert_eq!(named.targets[0].to_string(), format!("{HOST}/giteaadmin/app:1.0"));
        let named = naming().name(&image(vec![])).unwrap();
        assert_eq!(named.targets[0].to_string(), format!("{HOST}/giteaadmin/app:latest"));
    }

    #[test]
    fn given_tags_replace_the_sources_own() {
        let n = Naming { tags: vec!["a".parse().unwrap(), "b".parse().unwrap()], ..naming() };
        assert_eq!(targets(&n, &["web:1", "web:2"]), ["HOST/giteaadmin/web:a", "HOST/giteaadmin/web:b"]);
    }

    #[test]
    fn a_new_name_goes_below_the_owner_unless_it_is_a_path() {
        let named = |name: &str| Naming { rename: Some(Rename { name: name.into(), tag: None }), ..naming() };
        assert_eq!(targets(&named("web"), &["x:1"]), ["HOST/giteaadmin/web:1"]);
        assert_eq!(targets(&named("team/web"), &["x:1"]), ["HOST/team/web:1"]);
    }

    #[test]
    fn a_name_that_is_replaced_need_not_be_one() {
        let n = Naming { rename: Some(Rename { name: "web".into(), tag: None }), ..naming() };
        assert_eq!(targets(&n, &[".tmp No Name"]), ["HOST/giteaadmin/web:latest"]);
    }

    #[test]
    fn a_bare_digest_needs_a_tag() {
        let name = format!("web@sha256:{}", "a".repeat(64));
        assert_eq!(error(&naming(), &name), TargetError::NoTag { name: name.clone() });
        let n = Naming { tags: vec!["dev".parse().unwrap()], ..naming() };
        assert_eq!(targets(&n, &[&name]), ["HOST/giteaadmin/web:dev"]);
        assert_eq!(
            targets(&naming(), &[&format!("web:1@sha256:{}", "a".repeat(64))]),
            ["HOST/giteaadmin/web:1"]
        );
    }

    #[test]
    fn capitals_are_refused_with_a_suggestion() {
        let expected = TargetError::UpperCase { name: "MyApp:Dev".into(), suggestion: "myapp:Dev".into() };
        assert_eq!(error(&naming(), "MyApp:Dev"), expected);
    }

    #[test]
    fn gitea_takes_no_double_separators() {
        assert!(
            matches!(error(&naming(), "my--app:1"), TargetError::GiteaName { found: "--", suggestion, .. } if suggestion == "my-app")
        );
        let oci = Naming { rules: NameRules::Oci, ..naming() };
        assert_eq!(targets(&oci, &["my--app:1"]), ["HOST/giteaadmin/my--app:1"]);
    }

    #[test]
    fn gitea_tags_are_folded_and_said() {
        let named = naming().name(&image(vec![Suggested::Reference("web:V1".into())])).unwrap();
        assert_eq!(named.targets[0].tag.as_str(), "v1");
        assert!(named.notes.iter().any(|note| note.contains("`V1` becomes `v1`")));
    }

    #[test]
    fn one_bad_name_leaves_the_others() {
        let suggested = vec![Suggested::Reference("Bad".into()), Suggested::Reference("good".into())];
        let named = naming().name(&image(suggested)).unwrap();
        assert_eq!(named.targets.len(), 1);
        assert!(named.notes.iter().any(|note| note.contains("left out")));
    }
}
