//! What a release is made of: the archive, the manual page, the licences, and what describes them.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::path::Path;

use clap_complete::Shell;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::kit::folder;
use crate::krew::{MANIFEST, faults, read, sums_are_quoted_in};

#[path = "../../examples/dist/package/mod.rs"]
pub(crate) mod package;

use package::archive::{Packing, pack};
use package::{NAME, Platform, Sum, crates, entries, krew, licences, notes, page, sbom, sums, version};

const TIME: u64 = 1_700_000_000;
const TRIPLES: [&str; 5] = [
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
    "x86_64-apple-darwin",
    "aarch64-apple-darwin",
    "x86_64-pc-windows-msvc",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// With something short for the program.
fn archive(platform: Platform) -> Vec<u8> {
    let entries = entries(root(), &platform, b"the program".to_vec(), "licences".to_owned()).unwrap();
    pack(platform.packing(), &entries, TIME).unwrap()
}

/// Each file's bits and bytes, of an archive that has nothing but files without an owner, at this time.
fn unpacked(packing: Packing, bytes: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut files = BTreeMap::new();
    let mut last = String::new();
    let mut note = |name: String, bits: u32, bytes: Vec<u8>| {
        assert!(name > last && !name.contains('/'), "{name} behind {last}");
        last.clone_from(&name);
        files.insert(name, (bits, bytes));
    };
    match packing {
        Packing::TarGz => {
            // No time, no name, and what made it is unknown.
            assert_eq!(bytes[3..8], [0; 5]);
            let mut tar = tar::Archive::new(GzDecoder::new(bytes));
            for entry in tar.entries().unwrap() {
                let mut entry = entry.unwrap();
                let header = entry.header().clone();
                assert_eq!(header.entry_type(), tar::EntryType::Regular);
                assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
                assert_eq!((header.username().unwrap(), header.mtime().unwrap()), (Some(""), TIME));
                let mut content = Vec::new();
                entry.read_to_end(&mut content).unwrap();
                note(entry.path().unwrap().to_str().unwrap().to_owned(), header.mode().unwrap(), content);
            }
        }
        Packing::Zip => {
            let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
            for index in 0..zip.len() {
                let mut file = zip.by_index(index).unwrap();
                assert!(file.is_file());
                assert_eq!(file.last_modified().unwrap().to_string(), "2023-11-14 22:13:20");
                let mut content = Vec::new();
                file.read_to_end(&mut content).unwrap();
                note(file.name().unwrap().into_owned(), file.unix_mode().unwrap() & 0o777, content);
            }
        }
    }
    files
}

#[test]
fn an_archive_is_flat_and_has_only_plain_files_of_nobody() {
    for triple in TRIPLES {
        let platform = Platform::of(triple).unwrap();
        let files = unpacked(platform.packing(), &archive(platform));
        let names: Vec<&str> = files.keys().map(String::as_str).collect();
        let program = platform.program();
        let expected = [
            "LICENSE",
            "README.md",
            "THIRD-PARTY.txt",
            &program,
            "idpbuilder-push.1",
            "idpbuilder-push.bash",
            "idpbuilder-push.fish",
            "idpbuilder-push.ps1",
            "idpbuilder-push.zsh",
            "plugin.yaml",
        ];
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(names, expected);
        for (name, (bits, bytes)) in &files {
            assert_eq!(*bits, if *name == program { 0o755 } else { 0o644 }, "{name}");
            assert!(!bytes.is_empty(), "{name}");
        }
    }
}

#[test]
fn an_archive_is_the_same_each_time() {
    for triple in TRIPLES {
        let platform = Platform::of(triple).unwrap();
        assert!(archive(platform) == archive(platform), "{triple}");
    }
}

#[test]
fn a_platform_without_an_archive_is_refused() {
    for triple in ["riscv64gc-unknown-linux-gnu", "x86_64-unknown-freebsd", "aarch64-linux-android"] {
        let named = Platform::of(triple).map(Platform::archive);
        assert!(named.is_err() || triple.contains("android"), "{triple}: {named:?}");
    }
    assert_eq!(
        Platform::of(TRIPLES[4]).unwrap().archive(),
        format!("{NAME}_{}_windows_amd64.zip", version())
    );
}

#[test]
fn the_manifest_that_is_shipped_has_the_sums_of_the_archives_and_keeps_every_rule() {
    let folder = folder();
    let platforms = TRIPLES.map(|triple| Platform::of(triple).unwrap());
    for platform in &platforms[..2] {
        std::fs::write(folder.path().join(platform.archive()), archive(*platform)).unwrap();
    }
    // Of another version, and no archive.
    std::fs::write(folder.path().join(format!("{NAME}_v0.0.1_linux_amd64.tar.gz")), "").unwrap();
    std::fs::write(folder.path().join("SHA256SUMS"), "").unwrap();
    let found = sums(folder.path()).unwrap();
    assert_eq!(found.len(), 2);

    let shipped = krew::rendered(MANIFEST, &found).unwrap();

    assert_eq!(faults(&read(&shipped), "idpbuilder-push.yaml"), [""; 0]);
    sums_are_quoted_in(&shipped);
    for platform in platforms {
        let sum = Sum::of(&platform.archive(), &archive(platform)).hex;
        let made = found.iter().any(|one| one.file == platform.archive());
        assert_eq!(sum_of(&read(&shipped), platform), if made { sum } else { "0".repeat(64) });
    }
}

fn sum_of(manifest: &Value, platform: Platform) -> String {
    let platforms = manifest["spec"]["platforms"].as_array().unwrap();
    let labels = |one: &Value| one["selector"]["matchLabels"].clone();
    let wanted = serde_json::json!({ "os": platform.os, "arch": platform.arch });
    let one = platforms.iter().find(|one| labels(one) == wanted).unwrap();
    one["sha256"].as_str().unwrap().to_owned()
}

/// krew fails on the user's machine where a file that it is to take is not in the archive.
#[test]
fn what_krew_takes_out_of_an_archive_is_in_it() {
    let manifest = read(MANIFEST);
    for (one, triple) in manifest["spec"]["platforms"].as_array().unwrap().iter().zip(TRIPLES) {
        let platform = Platform::of(triple).unwrap();
        let files = unpacked(platform.packing(), &archive(platform));
        assert!(one["uri"].as_str().unwrap().ends_with(&platform.archive()));
        for file in one["files"].as_array().unwrap() {
            assert!(files.contains_key(file["from"].as_str().unwrap()), "{file}");
        }
        assert_eq!(files[one["bin"].as_str().unwrap()].0, 0o755);
    }
}

#[test]
fn an_archive_that_the_manifest_has_no_place_for_is_refused() {
    let sum = Sum::of("idpbuilder-push_v0.1.0_plan9_amd64.tar.gz", b"");
    assert!(krew::rendered(MANIFEST, &[sum]).is_err());
}

#[test]
fn a_sum_is_what_sha256sum_reads() {
    let sum = Sum::of("a.zip", b"abc");
    assert_eq!(sum.line(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.zip\n");
}

/// The page as a reader sees it: without the marks of roff.
fn read_page() -> String {
    page::manual().unwrap().replace("\\-", "-").replace("\\fB", "").replace("\\fI", "").replace("\\fR", "")
}

#[test]
fn the_manual_has_every_command_and_flag_that_help_shows() {
    let page = read_page();
    let command = idpbuilder_push::cli::command_line();
    let shown = |one: &&clap::Command| !one.is_hide_set() && one.get_name() != "help";
    let commands: Vec<&clap::Command> = command.get_subcommands().filter(shown).collect();
    assert!(commands.len() >= 7);
    let mut sections: Vec<(&clap::Command, String)> = vec![(&command, "SYNOPSIS".to_owned())];
    sections
        .extend(commands.iter().map(|one| (*one, format!("\"{NAME} {}\"", one.get_name()).to_uppercase())));
    for (command, heading) in sections {
        let (_, section) = page.split_once(&format!("\n.SH {heading}\n")).expect(&heading);
        for argument in command.get_arguments().filter(|one| !one.is_hide_set()) {
            let flag = argument.get_long().map(|long| format!("--{long}"));
            let end = section.find("\n.SH \"IDPBUILDER-PUSH").filter(|_| heading != "SYNOPSIS");
            let section = &section[..end.unwrap_or(section.len())];
            let name = flag.unwrap_or_else(|| argument.get_value_names().unwrap()[0].to_string());
            assert!(section.contains(&name), "{name} of {heading}");
        }
    }
    for hidden in command.get_subcommands().filter(|one| one.is_hide_set() && one.get_name() != "push") {
        assert!(!page.contains(hidden.get_name()), "{}", hidden.get_name());
    }
}

#[test]
fn the_manual_says_its_version_the_exit_codes_and_what_the_environment_does() {
    let page = read_page();
    let title =
        format!(".TH IDPBUILDER-PUSH 1  \"{NAME} {}\" \"User Commands\"\n", env!("CARGO_PKG_VERSION"));
    assert!(page.contains(&title), "{}", &page[..200]);
    for said in ["Exit codes:", "130 and 143", "IDPBUILDER_REGISTRY_URL", "IDPBUILDER_REGISTRY_PASSWORD"] {
        assert!(page.contains(said), "{said}");
    }
}

#[test]
fn the_scripts_in_an_archive_are_those_that_the_program_prints() {
    let program = crate::kit::program::Program::new();
    let printed = program.args(["completion", "bash"]).run().exits(0).stdout;
    assert_eq!(printed, idpbuilder_push::cli::completion(Shell::Bash, NAME));
}

fn host() -> String {
    let system = if cfg!(target_os = "macos") { "apple-darwin" } else { "unknown-linux-gnu" };
    format!("{}-{system}", std::env::consts::ARCH)
}

#[test]
#[cfg(unix)]
fn the_licences_name_every_crate_that_is_built_in_and_have_its_text() {
    let text = licences::text(root(), &host()).unwrap();
    let crates = crates::built_in(root(), Some(&host())).unwrap();
    assert!(crates.len() > 100);
    let (_, texts) = text.split_once("\n====").unwrap();
    for one in &crates {
        assert!(text.contains(&format!("\n{} {}  {}", one.name, one.version, one.license)), "{}", one.name);
        assert!(texts.contains(&one.name), "{}", one.name);
    }
    assert!(!crates.iter().any(|one| ["insta", "clap_mangen", NAME].contains(&one.name.as_str())));
    for (holder, words) in [
        // Libraries in C that a crate has taken in.
        ("zstd-sys", "Meta Platforms"),
        ("libdeflate-sys", "Eric Biggers"),
        ("kube", "Apache License"),
    ] {
        assert!(texts.contains(holder) && texts.contains(words), "{holder}");
    }
    assert!(!text.contains("GNU GENERAL PUBLIC LICENSE\n"));
}

#[test]
#[cfg(unix)]
fn the_list_of_what_is_built_in_is_one_that_programs_read() {
    let list: Value = serde_json::from_str(&sbom::text(root(), Some(&host())).unwrap()).unwrap();
    assert_eq!((&list["bomFormat"], &list["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(list["metadata"]["component"]["version"], version());
    let components = list["components"].as_array().unwrap();
    let rustls = components.iter().find(|one| one["name"] == "rustls").unwrap();
    assert!(rustls["purl"].as_str().unwrap().starts_with("pkg:cargo/rustls@0."));
    assert!(components.iter().all(|one| !one["licenses"][0]["expression"].as_str().unwrap().is_empty()));
}

#[test]
fn a_release_has_its_part_of_the_changelog_and_no_other_version_is_released() {
    let tag = version();
    let changelog = |heading: &str| {
        format!(
            "# Changelog\n\n## Unreleased\n\n{heading}\n\n### Added\n- One.\n\n## [0.0.1] - 2025-01-01\n- Old.\n"
        )
    };
    let heading = format!("## [{}] - 2026-01-31", env!("CARGO_PKG_VERSION"));
    assert_eq!(notes::of(&changelog(&heading), &tag).unwrap(), "### Added\n- One.\n");
    assert!(notes::of(&changelog("## [0.0.2] - 2026-01-31"), &tag).is_err());
    assert!(notes::of(&changelog(&heading), "v0.0.1").is_err());
    assert!(notes::of(&changelog(&heading), env!("CARGO_PKG_VERSION")).is_err());
    let empty = changelog(&heading).replace("### Added\n- One.\n", "");
    assert!(notes::of(&empty, &tag).is_err());
}
