//! A machine with a cluster: no flag says where the registry is, who pushes, or what to trust.

use std::fs;

use anyhow::{Result, ensure};

use crate::kit::{Gitea, Podman, Push, Servers, credential, pulled, testdata};

cases![
    an_archive_is_pushed_without_a_flag,
    an_image_of_the_engine_is_pushed_without_a_flag,
    images_of_manifests_are_pushed_as_the_cluster_will_ask_for_them,
    an_image_of_podman_is_pushed_without_a_flag,
    a_drifted_password_is_answered_with_the_token,
    a_secret_that_fits_no_more_ends_as_a_failed_login,
    a_user_who_may_not_read_the_secret_is_told_so,
    a_kubeconfig_that_is_not_there_is_named,
    a_dry_run_writes_nothing,
];

fn an_archive_is_pushed_without_a_flag(servers: &Servers) -> Result<()> {
    let ran =
        Push::new()?.kubeconfig(servers.api.kubeconfig()).arg(testdata("valid-image.tar")).run()?.exits(0)?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/web", "1.0")?;
    ensure!(
        ran.references() == [format!("{}/giteaadmin/web:1.0@{}", servers.ingress.registry(), image.digest)]
    );
    ensure!(image.layers().len() == 4, "{} layers", image.layers().len());
    Ok(())
}

fn an_image_of_the_engine_is_pushed_without_a_flag(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "myapp:dev")?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).env("DOCKER_HOST", servers.docker.host());
    push.arg("myapp:dev").run()?.exits(0)?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/myapp", "dev")?;
    ensure!(image.diff_ids()?.len() == 4);
    Ok(())
}

fn images_of_manifests_are_pushed_as_the_cluster_will_ask_for_them(servers: &Servers) -> Result<()> {
    servers.docker.load(&testdata("valid-image.tar"), "web:1.0", "deployed:dev")?;
    let folder = tempfile::tempdir()?;
    let reference = format!("{}/giteaAdmin/deployed:dev", servers.ingress.registry()).to_lowercase();
    let pod = |image: &str| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: x}}\nspec: {{containers: [{{name: a, image: '{image}'}}]}}\n"
        )
    };
    fs::write(folder.path().join("pods.yaml"), pod(&reference) + &pod("not-there:1"))?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).env("DOCKER_HOST", servers.docker.host());
    let ran =
        push.arg("--from-manifests").arg(folder.path()).run()?.exits(0)?.says(&["left `not-there:1`"])?;
    let image = pulled(&servers.gitea.admin(), "giteaadmin/deployed", "dev")?;
    ensure!(ran.references() == [format!("{reference}@{}", image.digest)]);
    Ok(())
}

fn an_image_of_podman_is_pushed_without_a_flag(servers: &Servers) -> Result<()> {
    let podman = Podman::start()?;
    podman.load(&testdata("podman-docker.tar"))?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).env("CONTAINER_HOST", podman.host());
    push.args(["podman:localhost/web:1.0", "--as", "from-podman:1"]).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "giteaadmin/from-podman", "1").map(drop)
}

fn a_drifted_password_is_answered_with_the_token(servers: &Servers) -> Result<()> {
    servers.api.apply(&[credential("drifted", Gitea::ADMIN, "the password before", &servers.gitea.token)])?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).args([
        "--secret",
        "gitea/drifted",
        "--as",
        "drifted:1",
    ]);
    push.arg(testdata("valid-image.tar")).run()?.exits(0)?;
    pulled(&servers.gitea.admin(), "giteaadmin/drifted", "1").map(drop)
}

fn a_secret_that_fits_no_more_ends_as_a_failed_login(servers: &Servers) -> Result<()> {
    servers.api.apply(&[credential("stale", Gitea::ADMIN, "the password before", "0123456789abcdef")])?;
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).args([
        "--secret",
        "gitea/stale",
        "--as",
        "stale:1",
    ]);
    let ran = push.arg(testdata("valid-image.tar")).run()?.exits(4)?.says(&["giteaAdmin", "To fix this"])?;
    ensure!(!ran.stderr.contains("the password before"), "the password is in the standard error");
    Ok(())
}

fn a_user_who_may_not_read_the_secret_is_told_so(servers: &Servers) -> Result<()> {
    let push = Push::new()?.kubeconfig(servers.api.developer_kubeconfig()).arg(testdata("valid-image.tar"));
    let ran = push.run()?.exits(5)?.says(&["secrets", "gitea-credential", "--user=developer"])?;
    // The advice is taken, as far as it leaves the others alone.
    let advised: Vec<&str> =
        ran.stderr.lines().filter_map(|line| Some(line.split_once("kubectl create ")?.1)).collect();
    ensure!(advised.len() == 2, "{}", ran.stderr);
    for line in advised {
        let words: Vec<&str> = line.split_whitespace().chain(["--dry-run=server"]).collect();
        servers.api.kubectl(&[&["create"], words.as_slice()].concat())?;
    }
    Ok(())
}

fn a_kubeconfig_that_is_not_there_is_named(_: &Servers) -> Result<()> {
    let push = Push::new()?.kubeconfig("/no/such/kubeconfig".into()).arg(testdata("valid-image.tar"));
    push.run()?.exits(5)?.says(&["/no/such/kubeconfig"]).map(drop)
}

fn a_dry_run_writes_nothing(servers: &Servers) -> Result<()> {
    let push = Push::new()?.kubeconfig(servers.api.kubeconfig()).args(["--dry-run", "--as", "planned:1"]);
    push.arg(testdata("valid-image.tar")).run()?.exits(0)?;
    let requests = servers.ingress.requests("/giteaadmin/planned/")?;
    let reads = requests.iter().all(|request| ["GET", "HEAD"].contains(&request.method.as_str()));
    ensure!(!requests.is_empty() && reads, "{requests:?}");
    Ok(())
}
