use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::pulled::digest_of;

/// A layer of one file that does not compress; the same seed makes the same layer.
pub(crate) fn layer(seed: u64, length: usize) -> Result<Vec<u8>> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let bytes: Vec<u8> = words.take(length / 8).flatten().collect();
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, &format!("srv/{seed}"), &bytes)?;
    Ok(tar.into_inner()?)
}

/// What `docker save` wrote before it wrote OCI layouts, for images larger than testdata may hold.
pub(crate) fn docker_archive(path: &Path, name: &str, layers: &[Vec<u8>]) -> Result<()> {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest_of(layer)).collect();
    let config = json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": { "name": name } },
        "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    let files: Vec<String> =
        diff_ids.iter().map(|id| format!("{}/layer.tar", id.replace("sha256:", ""))).collect();
    let manifest = json!([{ "Config": "config.json", "RepoTags": [name], "Layers": files }]);
    let mut tar = tar::Builder::new(std::fs::File::create(path)?);
    for (file, layer) in files.iter().zip(layers) {
        append(&mut tar, file, layer)?;
    }
    append(&mut tar, "config.json", config.to_string().as_bytes())?;
    append(&mut tar, "manifest.json", manifest.to_string().as_bytes())?;
    Ok(tar.finish()?)
}

fn append(tar: &mut tar::Builder<impl std::io::Write>, path: &str, bytes: &[u8]) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    Ok(tar.append_data(&mut header, path, bytes)?)
}
