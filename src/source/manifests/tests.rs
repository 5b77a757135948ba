use std::fmt::Write;
use std::fs;

use proptest::prelude::*;

use super::document::{Kustomization, Rename, Said, Unread, read};
use super::files::{self, Manifests};
use crate::content::FilePool;

fn said(text: &str) -> Said {
    read(text.as_bytes(), Kustomization::ByKind).unwrap()
}

fn images(text: &str) -> Vec<String> {
    said(text).images
}

fn refused(text: &str) -> Unread {
    read(text.as_bytes(), Kustomization::ByKind).unwrap_err()
}

/// An object whose pod template is at this place.
fn workload(group: &str, kind: &str, place: &str) -> String {
    let pod = r#"{"initContainers": [{"image": "init:1"}], "containers": [{"name": "a", "image": "web:1"}]}"#;
    let (mut open, mut close) = (String::new(), String::new());
    for part in place.split('.') {
        open = format!("{open}{{\"{part}\": ");
        close.push('}');
    }
    format!("apiVersion: {group}\nkind: {kind}\nmetadata: {{name: x}}\nspec: {open}{pod}{close}\n")
}

#[test]
fn every_kind_of_workload_has_its_images() {
    for (group, kind, place) in [
        ("apps/v1", "Deployment", "template.spec"),
        ("apps/v1", "StatefulSet", "template.spec"),
        ("apps/v1", "DaemonSet", "template.spec"),
        ("apps/v1", "ReplicaSet", "template.spec"),
        ("batch/v1", "Job", "template.spec"),
        ("batch/v1", "CronJob", "jobTemplate.spec.template.spec"),
        ("argoproj.io/v1alpha1", "Rollout", "template.spec"),
        ("example.org/v1", "Own", "some.where.template.spec"),
    ] {
        assert_eq!(images(&workload(group, kind, place)), ["web:1", "init:1"], "{kind}");
    }
}

#[test]
fn a_pod_has_its_images_and_those_of_its_volumes() {
    let pod = "
apiVersion: v1
kind: Pod
spec:
  containers:
    - {name: a, image: 'web:1'}
    - {name: b, image: web:1}
    - {name: none}
    - {name: number, image: 7}
  ephemeralContainers: [{image: debug:1}]
  volumes:
    - {name: data, image: {reference: data:1}}
    - {name: empty, emptyDir: {}}
";
    assert_eq!(images(pod), ["web:1", "debug:1", "data:1"]);
}

#[test]
fn documents_and_lists_are_read_to_the_last() {
    let pod =
        |image: &str| format!("{{apiVersion: v1, kind: Pod, spec: {{containers: [{{image: {image}}}]}}}}");
    let text = format!(
        "\u{feff}# nothing\n---\n---\n{}\n---\napiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n...\n---\n{}\n",
        pod("a"),
        pod("b"),
        pod("c"),
        pod("d")
    );
    assert_eq!(images(&text), ["a", "b", "c", "d"]);
}

#[test]
fn aliases_are_what_they_stand_for_and_tags_are_nothing() {
    let text = "
apiVersion: v1
kind: Pod
x: &c !own {image: web:1}
spec:
  containers: [*c, {<<: *c, name: b}]
";
    assert_eq!(images(text), ["web:1"]);
}

#[test]
fn what_is_no_object_of_kubernetes_says_nothing() {
    for text in [
        "",
        "just text",
        "[1, 2]",
        "services: {web: {image: web:1}}",
        "spec: {containers: [{image: web:1}]}",
        "apiVersion: v1\nkind: ConfigMap\ndata: {containers: [{image: web:1}]}",
        "apiVersion: v1\nkind: Pod\nspec: {containers: {image: web:1}}",
        "apiVersion: v1\nkind: Service\nspec: {ports: [{port: 80}], x: .inf}",
    ] {
        assert_eq!(said(text), Said::default(), "{text}");
    }
}

#[test]
fn applications_and_packages_lead_to_local_folders() {
    let text = "
apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  source: {repoURL: 'cnoe://manifests', path: dev}
  sources:
    - {repoURL: cnoe://other, path: .}
    - {repoURL: 'https://github.com/x/y', path: dev}
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
spec:
  generators: [{git: {repoURL: 'cnoe://set'}}]
---
apiVersion: idpbuilder.cnoe.io/v1alpha1
kind: CustomPackage
spec: {argoCD: {applicationFile: /srv/app.yaml, name: app}}
";
    assert_eq!(said(text).leads, ["manifests/dev", "other/.", "set", "/srv/app.yaml"].map(str::to_owned));
}

const IMAGES: &str = "
images:
  - {name: web, newName: r/web, newTag: '2'}
  - {name: api, digest: 'sha256:00'}
  - {name: same}
  - {name: number, newTag: 2}
  - {newTag: nameless}
";

#[test]
fn a_kustomization_is_known_by_its_kind_or_its_name() {
    let expected = [
        Rename {
            name: "web".into(),
            new_name: Some("r/web".into()),
            new_tag: Some("2".into()),
            ..Rename::default()
        },
        Rename { name: "api".into(), digest: Some("sha256:00".into()), ..Rename::default() },
    ];
    let passed = ["the `newTag` of its image `number` is no text: put it in quotes"];
    let with_kind = format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{IMAGES}");
    assert_eq!(said(&with_kind).renames, expected);
    assert_eq!(said(&with_kind).passed, passed);
    assert_eq!(read(IMAGES.as_bytes(), Kustomization::ByName).unwrap().renames, expected);
    assert_eq!(said(IMAGES), Said::default());
}

#[test]
fn templates_are_told_from_what_is_no_yaml() {
    assert_eq!(refused("{{- if .Values.x }}\nkind: Pod\n{{- end }}"), Unread::Template);
    assert!(matches!(refused("a: b\n c: d: e"), Unread::NotYaml { line: 2.., .. }));
    assert_eq!(read(b"\xff\xfe", Kustomization::ByKind), Err(Unread::NotText));
    // What is YAML all the same is read: dashboards and workflows are full of braces.
    let quoted = "apiVersion: v1\nkind: Pod\nspec: {containers: [{image: '{{ .Image }}'}]}";
    assert_eq!(images(quoted), ["{{ .Image }}"]);
}

#[test]
fn what_grows_when_it_is_expanded_is_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let alias = format!("*a{}", n - 1);
        writeln!(bomb, "a{n}: &a{n} [{}]", vec![alias; 10].join(", ")).unwrap();
    }
    assert_eq!(refused(&bomb), Unread::TooMuch);
    assert_eq!(refused(&format!("a: [{}]", "1, ".repeat(400_000))), Unread::TooMuch);
    assert!(matches!(refused(&"[".repeat(100_000)), Unread::TooMuch | Unread::NotYaml { .. }));
    assert!(matches!(refused(&"- ".repeat(100_000)), Unread::TooMuch | Unread::NotYaml { .. }));
}

proptest! {
    #[test]
    fn no_yaml_panics(text in "\\PC{0,200}") {
        let _ = read(text.as_bytes(), Kustomization::ByName);
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, Kustomization::ByName);
    }

    #[test]
    fn no_object_panics(words in proptest::collection::vec(prop_oneof![
        Just("apiVersion: v1"), Just("kind: List"), Just("kind: Pod"), Just("items:"), Just("containers:"),
        Just("- image: x"), Just("images:"), Just("volumes:"), Just("{a: &x [*x]}"), Just("---"), Just("<<: *x"),
        Just("repoURL: cnoe://"), Just("!!binary x"), Just("? [a]"), Just(": |"),
    ], 0..20), indents in proptest::collection::vec(0..5_usize, 20)) {
        let text: Vec<String> =
            words.iter().zip(indents).map(|(word, indent)| " ".repeat(indent * 2) + word).collect();
        let _ = read(text.join("\n").as_bytes(), Kustomization::ByName);
    }
}

fn pod(image: &str) -> String {
    format!("apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: {image}}}]}}\n")
}

fn names(manifests: &Manifests) -> Vec<&str> {
    manifests.images.iter().map(|named| named.name.as_str()).collect()
}

fn skipped(manifests: &Manifests) -> Vec<(String, String)> {
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    manifests.skipped.iter().map(|one| (name(&one.path), one.reason.clone())).collect()
}

#[test]
fn yaml_below_a_folder_is_read_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("b.yml", &pod("b"));
    write("a/z.YAML", &pod("a"));
    write("notes.txt", &pod("text"));
    write("c.yaml", &format!("{}\n{}", pod("c"), "#".repeat(5 << 20)));
    write("d.yaml", "{{ if }}");
    write("chart/Chart.yaml", "apiVersion: v2\nname: x");
    write("chart/templates/pod.yaml", &pod("chart"));
    write(".git/pod.yaml", &pod("git"));
    write("kustomization.yaml", IMAGES);
    let read = files::read(dir.path(), &FilePool::new(4)).unwrap();
    assert_eq!(names(&read), ["a", "b"]);
    assert_eq!(read.renames.len(), 2);
    let skipped = skipped(&read);
    let reasons = [
        ("c.yaml", "4 MiB"),
        ("templates", "helm"),
        ("d.yaml", "template"),
        ("kustomization.yaml", "quotes"),
    ];
    assert_eq!(skipped.len(), reasons.len(), "{skipped:?}");
    for (name, reason) in reasons {
        assert!(skipped.iter().any(|(n, r)| n == name && r.contains(reason)), "{name}: {skipped:?}");
    }
}

#[test]
fn a_file_leads_to_folders_beside_it_and_no_further() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for folder in ["package/manifests", "secret"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::write(at("package/manifests/pod.yaml"), pod("inside")).unwrap();
    fs::write(at("package/beside.yaml"), pod("beside")).unwrap();
    fs::write(at("secret/pod.yaml"), pod("outside")).unwrap();
    let application = |url: &str| {
        format!(
            "---\napiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {{source: {{repoURL: '{url}'}}}}\n"
        )
    };
    let urls = ["cnoe://manifests", "cnoe://../secret", "cnoe://missing", "cnoe://manifests/../manifests"];
    fs::write(at("package/app.yaml"), urls.map(application).concat()).unwrap();
    let read = files::read(&at("package/app.yaml"), &FilePool::new(4)).unwrap();
    assert_eq!(names(&read), ["inside"]);
    let skipped = skipped(&read);
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    assert!(skipped[0].1.contains("outside of the folder"), "{skipped:?}");
    assert!(skipped[1].1.contains("could not be read"), "{skipped:?}");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_lead_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("below")).unwrap();
    fs::write(dir.path().join("out.yaml"), pod("outside")).unwrap();
    fs::write(root.join("below/pod.yaml"), pod("inside")).unwrap();
    std::os::unix::fs::symlink("../out.yaml", root.join("link.yaml")).unwrap();
    std::os::unix::fs::symlink("..", root.join("below/loop")).unwrap();
    std::os::unix::fs::symlink("below/pod.yaml", root.join("twice.yaml")).unwrap();
    let pipe = root.join("pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    let read = files::read(&root, &FilePool::new(4)).unwrap();
    assert_eq!(names(&read), ["inside"]);
    let expected = 1 + usize::from(made.is_ok_and(|status| status.success()));
    assert_eq!(read.skipped.len(), expected, "{:?}", read.skipped);
}
