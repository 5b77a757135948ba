use super::{Class, Failure, Scene};
use crate::cli::usage::{UsageError, WordError};

pub(super) fn explain(error: &UsageError, scene: &Scene<'_>) -> Failure {
    let failure = Failure::new(Class::Usage, "USAGE", error.to_string()).chain(error);
    match error {
        UsageError::Word(error) => word(error, scene),
        UsageError::CommandWord(error) => failure
            .run("To run the command", scene.of(&format!("{} ...", error.word)))
            .run("To push an image of that name", scene.of(&format!("{}:latest", error.word))),
        UsageError::NotText { .. } | UsageError::EnvironmentValue { .. } => {
            failure.say("Set the variable anew, or unset it")
        }
        UsageError::Glob { .. } => failure.say("Patterns are as in .gitignore: *.tar, build/**, {a,b}.tar"),
        UsageError::UserAlone { .. } => failure
            .say("Add --password-stdin, and pass the password in on standard input")
            .say("Or set IDPBUILDER_REGISTRY_PASSWORD or IDPBUILDER_REGISTRY_TOKEN"),
        UsageError::PasswordAlone { .. } => {
            failure.say("Add --username USER, or set IDPBUILDER_REGISTRY_USERNAME")
        }
        UsageError::PasswordAndToken { .. } => {
            failure.say("Leave one of them out: a token is a password too")
        }
        UsageError::AuthBesideLogin { .. } => {
            failure.say("Leave out --auth, or the user name, password and token of flags and environment")
        }
        UsageError::Stdin { .. } | UsageError::StdinEmpty | UsageError::StdinTooLong { .. } => {
            failure.run("Pass the password in", format!("{} < FILE", scene.again("--password-stdin")))
        }
        UsageError::StdinTwice => failure
            .say("Set IDPBUILDER_REGISTRY_PASSWORD or IDPBUILDER_REGISTRY_TOKEN, and leave out --password-stdin")
            .say("Or write the tar to a file, and name that"),
        UsageError::PlainHttpMissing { registry } => {
            failure.run("If it has no TLS", scene.with(&format!("--plain-http --registry {registry}")))
        }
        UsageError::PlainHttpForHttps { .. } => failure.say("Leave out --plain-http, or write http://"),
        UsageError::PlainHttpWithoutRegistry => {
            failure.say("Add --registry HOST:PORT; the cluster says by itself whether its registry has TLS")
        }
        UsageError::InstallForShell => failure
            .run("Link it for kubectl", "completion kubectl --install")
            .say("Or see how the script of a shell is used: completion --help"),
        UsageError::AllTaggedWithoutRegistry => failure
            .say("Add --registry HOST:PORT: `list` asks no cluster for it")
            .say("Or see what a push would do: push --all-tagged --dry-run"),
        UsageError::TwoOwners { .. } => {
            failure.say("Leave out --owner, or the path behind the registry's name")
        }
        UsageError::WatchSeveral => failure.say("Start one watch for each of them"),
        UsageError::WatchStdin | UsageError::WatchStream { .. } => failure.say("Write the tar to a file, and watch that"),
        UsageError::WatchFolder { path } => failure
            .say("Name an archive in it")
            .run("If a layout is to come there", scene.of(&format!("watch oci:{}", path.display()))),
        UsageError::WatchPlan => failure.say("Leave out --dry-run, or push with it once"),
    }
}

fn word(error: &WordError, scene: &Scene<'_>) -> Failure {
    let failure = Failure::new(Class::Usage, "USAGE", error.to_string());
    match error {
        WordError::TypedInput => failure
            .run("Send one in", format!("docker save myapp:dev | {}", scene.of("-")))
            .run("Or from a file", format!("{} < image.tar.gz", scene.of("-"))),
        WordError::Empty { scheme, .. } => {
            let form = match *scheme {
                "docker-archive" => "docker-archive:FILE[:REF]",
                "oci-archive" => "oci-archive:FILE[:TAG]",
                "oci" => "oci:DIR[:TAG]",
                "podman" => "podman:REF",
                _ => "docker-daemon:REF",
            };
            failure.run("It is written", scene.of(form))
        }
        WordError::Nothing => {
            failure.say("Leave it out to search this folder; a shell variable may be empty")
        }
        WordError::NotAName { .. } => failure
            .say("If it is a file or a folder, write it with ./ before it; nothing of that name is there"),
        WordError::UpperCase { word, suggestion } => Failure::new(
            Class::Usage,
            "NAME_INVALID",
            format!("invalid image name {word:?}: repository names are lower case"),
        )
        .did_you_mean(scene.of(suggestion)),
        WordError::Search { what, .. } => failure
            .detail(format!("It is {what}: the search would go through everything there."))
            .run("Name a folder", scene.of("--path ./images"))
            .run("Or name the images", scene.of("myapp:dev ./app.tar")),
    }
}
