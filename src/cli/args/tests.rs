use super::*;

fn parsed(line: &str) -> Result<Command, ArgsError> {
    let called = Called::by(Some(OsStr::new("idpbuilder-push")), None);
    parse(
        std::iter::once("idpbuilder-push")
            .chain(line.split(' ').filter(|word| !word.is_empty()))
            .map(OsString::from)
            .collect(),
        &called,
    )
}

fn sources(line: &str) -> Vec<OsString> {
    match parsed(line) {
        Ok(Command::Push(push)) => push.sources.words,
        other => panic!("no push: {other:?}"),
    }
}

fn text(line: &str, program: &str) -> String {
    let called = Called::by(Some(OsStr::new(program)), None);
    let words = std::iter::once(program).chain(line.split(' ')).map(OsString::from).collect();
    match parse(words, &called) {
        Err(ArgsError::Clap(error)) => error.to_string(),
        other => panic!("no text: {other:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Typed::command().debug_assert();
}

#[test]
fn arguments_without_a_command_are_a_push() {
    for (line, words) in [
        ("", vec![]),
        ("push", vec![]),
        ("myapp:dev", vec!["myapp:dev"]),
        ("push myapp:dev ./app.tar", vec!["myapp:dev", "./app.tar"]),
        ("-l debug push myapp:dev", vec!["myapp:dev"]),
        ("app.tar list", vec!["app.tar", "list"]),
        ("-- list", vec!["list"]),
        ("push -- push", vec!["push"]),
        ("list:latest", vec!["list:latest"]),
    ] {
        assert_eq!(sources(line), words, "{line}");
    }
}

#[test]
fn a_command_stands_first() {
    assert!(matches!(parsed("list app.tar"), Ok(Command::List(_))));
    assert!(matches!(parsed("push list app.tar"), Ok(Command::List(_))));
    assert!(matches!(parsed("version -o json"), Ok(Command::Version(_))));
    assert!(matches!(parsed("plugin-metadata"), Ok(Command::PluginMetadata)));
    assert!(matches!(parsed("-v list"), Err(ArgsError::CommandWord(CommandWord { word })) if word == "list"));
}

#[test]
fn the_command_of_the_first_plan_works_as_written() {
    let line = "push --registry gitea.localhost:8443 --username gitea_admin --password gitea_password \
                --insecure ./test-image.tar";
    let Ok(Command::Push(push)) = parsed(line) else { panic!("no push") };
    assert_eq!(push.reach.registry.registry.unwrap().authority, "gitea.localhost:8443");
    assert_eq!(push.reach.login.username.as_deref(), Some("gitea_admin"));
    assert_eq!(push.reach.login.password.unwrap().expose(), "gitea_password");
    assert!(push.reach.tls.insecure);
    assert_eq!(push.sources.words, ["./test-image.tar"]);
}

#[test]
fn short_forms_are_those_of_idpbuilder() {
    let Ok(Command::Push(push)) = parsed("-r r.example -u u -t token -j 2 -o json -q -l warn x") else {
        panic!("no push")
    };
    assert_eq!(push.reach.login.token.unwrap().expose(), "token");
    assert_eq!(push.transfer.jobs.get(), 2);
    assert_eq!(push.view.output, OutputArg::Json);
    assert_eq!(push.view.log_level, Some(LevelArg::Warn));
    assert!(push.view.quiet);
}

#[test]
fn contradictions_are_refused() {
    for line in [
        "-p a -t b x",
        "--password-stdin -p a x",
        "--insecure --ca-file f x",
        "--insecure --plain-http x",
        "--path . x",
        "-v -l warn x",
        "-q --progress bars x",
        "-j 0 x",
        "--timeout 0s x",
        "--as Upper x",
        "--password= x",
        "--nonsense",
        "list --force",
        "list --insecure",
    ] {
        let error = parsed(line).map(|_| ()).unwrap_err();
        assert!(matches!(&error, ArgsError::Clap(error) if error.exit_code() == 2), "{line}: {error}");
    }
}

#[test]
fn a_password_is_not_shown_again() {
    let shown = format!("{:?}", parsed("-u u -p made-up x").unwrap());
    assert!(!shown.contains("made-up"), "{shown}");
    let error = parsed("-p made-up -t made-up-too x").unwrap_err().to_string();
    assert!(!error.contains("made-up"), "{error}");
}

#[test]
fn what_follows_on_push_belongs_to_its_command() {
    let line =
        "watch --owner me app.tar -q --on-push kubectl -n web rollout restart --owner -- list deployment/web";
    let Ok(Command::Watch(watch)) = parsed(line) else { panic!("no watch") };
    assert_eq!(watch.push.sources.words, ["app.tar"]);
    assert_eq!(watch.push.names.owner.as_deref(), Some("me"));
    let words = ["kubectl", "-n", "web", "rollout", "restart", "--owner", "--", "list", "deployment/web"];
    assert_eq!(watch.on_push, words);
    let Ok(Command::Watch(watch)) = parsed("push watch web:1") else { panic!("no watch") };
    assert!(watch.on_push.is_empty());
    for line in ["watch --all-tagged", "watch --from-manifests deploy --on-push a"] {
        assert!(matches!(parsed(line), Ok(Command::Watch(_))), "{line}");
    }
}

#[test]
fn a_watch_has_one_source() {
    for line in ["watch", "watch a:1 b:1", "watch a:1 --on-push"] {
        let error = parsed(line).map(|_| ()).unwrap_err();
        assert!(matches!(&error, ArgsError::Clap(error) if error.exit_code() == 2), "{line}: {error}");
    }
    let help = text("watch --help", "kubectl-idpbuilder_push");
    assert!(help.contains("Usage: kubectl idpbuilder-push watch [OPTIONS] [SOURCE]\n"), "{help}");
    assert!(!help.contains("--dry-run") && help.lines().all(|line| line.len() <= 100), "{help}");
}

#[test]
fn help_starts_with_three_examples_under_the_name_that_was_typed() {
    for (program, name) in
        [("idpbuilder-push", "idpbuilder-push"), ("/x/kubectl-idpbuilder_push", "kubectl idpbuilder-push")]
    {
        for line in ["--help", "-h"] {
            let help = text(line, program);
            let first: Vec<&str> = help.lines().take(4).collect();
            assert_eq!(first[0], "Examples:");
            assert!(first[1..].iter().all(|line| line.starts_with(&format!("  {name} "))), "{help}");
            assert!(help.contains(&format!("Usage: {name} [OPTIONS] [SOURCE]...")), "{help}");
        }
    }
}

#[test]
fn a_login_in_an_address_is_not_repeated() {
    for line in ["-r https://me:made-up@r.example/x a.tar", "list -r me:made-up@r.example"] {
        let error = text(line, "idpbuilder-push");
        assert!(error.contains("****@r.example") && !error.contains("made-up"), "{error}");
    }
}

/// Lines of a terminal that is not a small one.
const SCREEN: usize = 52;

#[test]
fn a_short_help_fits_one_screen_and_the_whole_two() {
    for command in ["", "list ", "verify ", "watch ", "prune ", "doctor ", "completion "] {
        for (flag, most) in [("-h", SCREEN), ("--help", 2 * SCREEN)] {
            let help = text(&format!("{command}{flag}"), "kubectl-idpbuilder_push");
            let lines = help.lines().count();
            assert!(lines <= most, "{command}{flag} has {lines} lines");
        }
    }
}

#[test]
fn a_short_help_names_where_the_rest_is() {
    let help = text("watch -h", "kubectl-idpbuilder_push");
    assert!(help.ends_with("All flags: kubectl idpbuilder-push watch --help\n"), "{help}");
    assert!(help.contains("--owner") && !help.contains("--retries") && !help.contains("--dry-run"), "{help}");
    let after = text("--help -h", "idpbuilder-push");
    assert!(after.contains("--retries"), "{after}");
}

#[test]
fn every_flag_that_is_called_rare_is_one() {
    let whole = whole();
    let flags: Vec<&str> = whole.get_arguments().map(|arg| arg.get_id().as_str()).collect();
    assert!(help::RARE.iter().all(|rare| flags.contains(rare)));
}

#[test]
fn help_of_a_command_is_under_the_name_that_was_typed() {
    let help = text("list --help", "kubectl-idpbuilder_push");
    assert!(help.contains("Usage: kubectl idpbuilder-push list"), "{help}");
}

#[test]
fn a_prune_names_one_image_or_none() {
    let Ok(Command::Prune(prune)) = parsed("prune") else { panic!("no prune") };
    assert_eq!((prune.image, prune.keep, prune.yes, prune.dry_run), (None, 3, false, false));
    let Ok(Command::Prune(prune)) = parsed("push prune team/web --keep 0 -y --owner team") else {
        panic!("no prune")
    };
    assert_eq!((prune.image, prune.keep, prune.yes), ("team/web".parse().ok(), 0, true));
    for line in ["prune web:1", "prune Web", "prune a b", "prune --keep -1", "prune --yes --dry-run"] {
        let error = parsed(line).map(|_| ()).unwrap_err();
        assert!(matches!(&error, ArgsError::Clap(error) if error.exit_code() == 2), "{line}: {error}");
    }
    let help = text("prune --help", "kubectl-idpbuilder_push");
    assert!(help.contains("Usage: kubectl idpbuilder-push prune [OPTIONS] [NAME]\n"), "{help}");
    assert!(help.lines().all(|line| line.len() <= 100), "{help}");
}
