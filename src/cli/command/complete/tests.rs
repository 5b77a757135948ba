use super::*;

fn lines(words: &[&str]) -> Vec<String> {
    at_home(words, &Environment::default())
}

fn at_home(words: &[&str], environment: &Environment) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let text = completed(&words, environment);
    assert!(text.ends_with('\n'), "{text:?}");
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn flags_are_completed_with_what_they_mean() {
    assert_eq!(lines(&["--plain"]), ["--plain-http", ":4"]);
    let text = completed(&["--plain".to_owned()], &Environment::default());
    assert!(text.starts_with("--plain-http\tPlain HTTP: all"), "{text}");
    assert!(lines(&["-"]).contains(&"-r".to_owned()));
    assert_eq!(lines(&["watch", "app.tar", "--dry"]), [":4"]);
    assert_eq!(lines(&["push", "--dry"]), ["--dry-run", ":4"]);
}

#[test]
fn values_are_those_that_the_flag_takes() {
    for words in [&["-o", ""][..], &["--output", ""], &["--output="], &["-vo", ""], &["list", "x", "-o", ""]]
    {
        assert_eq!(lines(words), ["name", "table", "json", "yaml", ":36"], "{words:?}");
    }
    assert_eq!(lines(&["--auth", "d"]), ["docker", ":36"]);
    assert_eq!(lines(&["--compression", "g"]), ["gzip", ":36"]);
    assert_eq!(lines(&["--jobs", ""]), [":36"]);
    assert_eq!(lines(&["--path", ""]), [":16"]);
    assert_eq!(lines(&["--kubeconfig", ""]), [":0"]);
    assert_eq!(lines(&["completion", "ku"]), ["kubectl", ":4"]);
}

#[test]
fn a_command_stands_before_everything_else() {
    assert_eq!(lines(&["doc"]), ["doctor", ":0"]);
    assert_eq!(lines(&["push", "doc"]), ["doctor", ":0"]);
    for words in [&["-v", "doc"][..], &["x.tar", "doc"], &["--", "doc"]] {
        assert_eq!(lines(words), [":0"], "{words:?}");
    }
    assert!(!lines(&[""]).contains(&"plugin-metadata".to_owned()));
}

#[test]
fn the_words_of_another_command_are_left_to_the_shell() {
    assert_eq!(lines(&["watch", "a.tar", "--on-push", ""]), [":0"]);
    assert_eq!(lines(&["watch", "a.tar", "--on-push", "kubectl", "--pl"]), [":0"]);
}

#[test]
fn contexts_and_clusters_are_those_of_the_kubeconfig() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = "contexts:\n- {name: kind-localdev, context: {cluster: kind-localdev, user: u}}\n\
                - {name: \"a\\tb\", context: {cluster: c, user: u}}\n";
    std::fs::write(&file, text).unwrap();
    let environment = Environment { kubeconfig: Some(file.clone().into()), ..Environment::default() };
    assert_eq!(at_home(&["--context", "k"], &environment), ["kind-localdev", ":4"]);
    assert_eq!(at_home(&["--context", "a"], &environment), [":4"]);
    assert_eq!(at_home(&["doctor", "--name", ""], &environment), ["localdev", "c", ":4"]);
    assert_eq!(lines(&["--kubeconfig", &file.to_string_lossy(), "--context=kind"]), ["kind-localdev", ":4"]);
    assert_eq!(lines(&["--kubeconfig", "/no/such/file", "--context", ""]), [":4"]);
}

#[test]
fn archives_and_layouts_of_a_folder_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.tar", "b.tar.gz", "c.txt", "-x.tar"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    std::fs::create_dir(folder.path().join("layout")).unwrap();
    std::fs::write(folder.path().join("layout/oci-layout"), "").unwrap();
    let at = |name: &str| format!("{}/{name}", folder.path().display());
    assert_eq!(lines(&[&at("")]), [at("a.tar"), at("b.tar.gz"), at("layout"), ":0".to_owned()]);
    assert_eq!(lines(&["verify", &at("b")]), [at("b.tar.gz"), ":0".to_owned()]);
}

#[test]
fn any_line_is_answered() {
    for words in
        [&[][..], &["-"], &["--"], &["--="], &["--nothing=", "x"], &["-é", ""], &["-oé", ""], &["\n"]]
    {
        assert!(lines(words).last().unwrap().starts_with(':'), "{words:?}");
    }
}
