use std::path::PathBuf;

use super::document::Rename;
use crate::oci::reference;

/// An image that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    /// The first file that names it.
    pub(super) file: PathBuf,
}

/// A rename of a kustomization, and the file that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Renamed {
    pub(super) rename: Rename,
    pub(super) file: PathBuf,
}

/// The images as the cluster will be asked for them, each once. A rename counts for all files: which of
/// them a kustomization takes in is not looked at. One that fits no image stands for itself.
pub(super) fn renamed(images: Vec<Named>, renames: &[Renamed]) -> Vec<Named> {
    let mut used = vec![false; renames.len()];
    let mut all: Vec<Named> = Vec::new();
    let mut add = |named: Named| {
        if !all.iter().any(|other| other.name == named.name) {
            all.push(named);
        }
    };
    for image in images {
        let (repository, rest) = parts(&image.name);
        let mut fits = false;
        for (one, used) in renames.iter().zip(&mut used).filter(|(one, _)| one.rename.name == repository) {
            (fits, *used) = (true, true);
            add(Named { name: one.rename.applied(rest), file: one.file.clone() });
        }
        if !fits {
            add(image);
        }
    }
    for (one, _) in renames.iter().zip(used).filter(|(_, used)| !used) {
        add(Named { name: one.rename.applied(""), file: one.file.clone() });
    }
    all
}

impl Rename {
    /// `rest` is the tag or digest that stood there, with what separates it.
    fn applied(&self, rest: &str) -> String {
        let name = self.new_name.as_ref().unwrap_or(&self.name);
        match (&self.digest, &self.new_tag) {
            (Some(digest), _) => format!("{name}@{digest}"),
            (None, Some(tag)) => format!("{name}:{tag}"),
            (None, None) => format!("{name}{rest}"),
        }
    }
}

/// A reference without its tag and digest, and these.
fn parts(name: &str) -> (&str, &str) {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name.get(last..).and_then(|last| last.find([':', '@'])).map_or(name.len(), |at| last + at);
    name.split_at_checked(end).unwrap_or((name, ""))
}

/// What an image is to this push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// It is named for the registry. An engine may have it under one of these names.
    Ours(Vec<String>),
    /// It is pushed if an engine has it.
    Elsewhere,
}

/// Why an image is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    Template,
    NoName,
    Pinned,
    NotHere,
}

impl Left {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Template => "helm fills in the name",
            Self::NoName => "no name of an image",
            Self::Pinned => "pinned by digest, and what is pushed from an engine has another one",
            Self::NotHere => "not named for this registry, and in no local engine",
        }
    }
}

/// Where an image is to come from, by its name alone.
///
/// # Errors
/// Why it cannot be pushed.
pub(super) fn place(name: &str, registry: Option<&str>) -> Result<Place, Left> {
    if name.contains("{{") {
        return Err(Left::Template);
    }
    let Ok(reference) = reference(name) else { return Err(Left::NoName) };
    if reference.digest().is_some() {
        return Err(Left::Pinned);
    }
    let below = registry.and_then(|registry| name.strip_prefix(registry)?.strip_prefix('/'));
    let Some(below) = below else { return Ok(Place::Elsewhere) };
    let mut names = vec![name.to_owned(), below.to_owned()];
    names.extend(below.rsplit_once('/').map(|(_, last)| last.to_owned()));
    Ok(Place::Ours(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "gitea.localtest.me:8443";

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), file: "app.yaml".into() }
    }

    fn rename(name: &str, new_name: &str, new_tag: &str) -> Renamed {
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let (new_name, new_tag) = (filled(new_name), filled(new_tag));
        let rename = Rename { name: name.to_owned(), new_name, new_tag, digest: None };
        Renamed { rename, file: "kustomization.yaml".into() }
    }

    fn names(images: &[&str], renames: &[Renamed]) -> Vec<String> {
        let images = images.iter().map(|name| named(name)).collect();
        renamed(images, renames).into_iter().map(|named| named.name).collect()
    }

    #[test]
    fn an_image_is_taken_once() {
        assert_eq!(names(&["web:1", "api:1", "web:1"], &[]), ["web:1", "api:1"]);
    }

    #[test]
    fn a_kustomization_renames_by_the_name_without_the_tag() {
        for (new_name, new_tag, expected) in
            [("r/web", "", "r/web:1"), ("", "2", "web:2"), ("r/web", "2", "r/web:2")]
        {
            assert_eq!(names(&["web:1"], &[rename("web", new_name, new_tag)]), [expected]);
        }
        let images = ["web:1", "other/web:1", "localhost:5000/web"];
        let renames = [rename("web", "", "2"), rename("localhost:5000/web", "web", "")];
        assert_eq!(names(&images, &renames), ["web:2", "other/web:1", "web"]);
    }

    #[test]
    fn two_kustomizations_make_two_images_and_one_without_an_image_stands_for_itself() {
        let renames = [rename("web", "", "dev"), rename("web", "", "test"), rename("base", "r/base", "3")];
        assert_eq!(names(&["web:1"], &renames), ["web:dev", "web:test", "r/base:3"]);
    }

    #[test]
    fn a_digest_goes_before_a_tag() {
        let mut one = rename("web", "", "2");
        one.rename.digest = Some("sha256:00".to_owned());
        assert_eq!(names(&["web:1"], &[one]), ["web@sha256:00"]);
    }

    #[test]
    fn an_image_of_this_registry_may_have_a_shorter_name_in_the_engine() {
        let ours = |names: &[&str]| Ok(Place::Ours(names.iter().map(ToString::to_string).collect()));
        let full = format!("{HOST}/giteaadmin/web:1");
        assert_eq!(place(&full, Some(HOST)), ours(&[&full, "giteaadmin/web:1", "web:1"]));
        let short = format!("{HOST}/web:1");
        assert_eq!(place(&short, Some(HOST)), ours(&[&short, "web:1"]));
        for (name, registry) in [(full.as_str(), None), ("gitea.localtest.me:84431/a/web", Some(HOST))] {
            assert_eq!(place(name, registry), Ok(Place::Elsewhere), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_pushed_is_left_for_its_reason() {
        let pinned = format!("{HOST}/a/web:1@sha256:{}", "0".repeat(64));
        for (name, left) in [
            ("{{ .Values.image }}", Left::Template),
            ("web:{{ .Tag }}", Left::Template),
            ("$(IMAGE)", Left::NoName),
            ("Web:1", Left::NoName),
            ("", Left::NoName),
            (&pinned, Left::Pinned),
        ] {
            assert_eq!(place(name, Some(HOST)), Err(left), "{name}");
        }
    }
}
