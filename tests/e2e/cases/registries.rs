//! Registries that are no Gitea.

use anyhow::{Result, ensure};

use crate::kit::{Push, Servers, pulled, testdata};

cases![
    distribution_takes_an_image,
    distribution_keeps_the_digest_of_an_index,
    distribution_takes_several_images_of_one_archive
];

fn push_to_distribution(servers: &Servers) -> Result<Push> {
    Ok(Push::new()?.args(["--registry", &servers.distribution.registry(), "--plain-http", "--auth", "none"]))
}

fn distribution_takes_an_image(servers: &Servers) -> Result<()> {
    let ran = push_to_distribution(servers)?
        .args(["--as", "alone:1"])
        .arg(testdata("valid-image.tar"))
        .run()?
        .exits(0)?;
    let image = pulled(&servers.distribution.endpoint(), "alone", "1")?;
    ensure!(ran.references() == [format!("{}/alone:1@{}", servers.distribution.registry(), image.digest)]);
    Ok(())
}

fn distribution_keeps_the_digest_of_an_index(servers: &Servers) -> Result<()> {
    let push = push_to_distribution(servers)?.args(["--as", "both:1"]).arg(testdata("multi-platform-layout"));
    let ran = push.run()?.exits(0)?;
    let index = pulled(&servers.distribution.endpoint(), "both", "1")?;
    ensure!(index.children.len() == 2 && ran.stdout.contains(&index.digest));
    Ok(())
}

fn distribution_takes_several_images_of_one_archive(servers: &Servers) -> Result<()> {
    let ran = push_to_distribution(servers)?.arg(testdata("docker-legacy-multi.tar")).run()?.exits(0)?;
    for (repository, tag) in [("web", "1.0"), ("api", "2.1"), ("api", "latest")] {
        let image = pulled(&servers.distribution.endpoint(), repository, tag)?;
        ensure!(ran.stdout.contains(&format!("/{repository}:{tag}@{}", image.digest)), "{}", ran.stdout);
    }
    Ok(())
}
