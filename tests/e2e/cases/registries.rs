//! Registries that are no Gitea.

use anyhow::{Result, ensure};

use crate::kit::{Distribution, Push, Servers, pulled, testdata};

cases![
    distribution_2_takes_an_image,
    distribution_3_takes_an_image,
    distribution_3_keeps_the_digest_of_an_index,
    distribution_3_takes_several_images_of_one_archive,
];

fn push_to(distribution: &Distribution) -> Result<Push> {
    Ok(Push::new()?.args(["--registry", &distribution.registry(), "--plain-http", "--auth", "none"]))
}

fn an_image_arrives(distribution: &Distribution) -> Result<()> {
    let ran =
        push_to(distribution)?.args(["--as", "alone:1"]).arg(testdata("valid-image.tar")).run()?.exits(0)?;
    let image = pulled(&distribution.endpoint(), "alone", "1")?;
    ensure!(ran.references() == [format!("{}/alone:1@{}", distribution.registry(), image.digest)]);
    Ok(())
}

fn distribution_2_takes_an_image(_: &Servers) -> Result<()> {
    an_image_arrives(&Distribution::start_2()?)
}

fn distribution_3_takes_an_image(servers: &Servers) -> Result<()> {
    an_image_arrives(&servers.distribution)
}

fn distribution_3_keeps_the_digest_of_an_index(servers: &Servers) -> Result<()> {
    let push =
        push_to(&servers.distribution)?.args(["--as", "both:1"]).arg(testdata("multi-platform-layout"));
    let ran = push.run()?.exits(0)?;
    let index = pulled(&servers.distribution.endpoint(), "both", "1")?;
    ensure!(index.children.len() == 2 && ran.stdout.contains(&index.digest));
    Ok(())
}

fn distribution_3_takes_several_images_of_one_archive(servers: &Servers) -> Result<()> {
    let ran = push_to(&servers.distribution)?.arg(testdata("docker-legacy-multi.tar")).run()?.exits(0)?;
    for (repository, tag) in [("web", "1.0"), ("api", "2.1"), ("api", "latest")] {
        let image = pulled(&servers.distribution.endpoint(), repository, tag)?;
        ensure!(ran.stdout.contains(&format!("/{repository}:{tag}@{}", image.digest)), "{}", ran.stdout);
    }
    Ok(())
}
