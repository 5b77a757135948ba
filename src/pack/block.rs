use libdeflater::{CompressionLvl, Compressor};

use super::PackError;
use super::form::{Codec, Encoder};

/// How blocks are cut and packed, for those who remember what came out: a change of these rules or of the
/// library changes the bytes.
pub(super) const GZIP_RULES: &str = "2-libdeflate-1.26";
pub(super) const ZSTD_RULES: &str = "1";

/// Input bytes of a block. Each is packed by itself, so that blocks can be packed in parallel and come out
/// the same in any order of work; readers take gzip members (RFC 1952, 2.2) and zstd frames (RFC 8878, 3.1)
/// that follow each other as one stream. Level 1 of zstd packs best at the size that it has.
pub(super) fn size(encoder: Encoder) -> usize {
    match encoder.codec() {
        Codec::Gzip => 128 * 1024,
        Codec::Zstd => 256 * 1024,
    }
}

/// Packs blocks, one after another. What an encoder needs is made when it is first used.
#[derive(Default)]
pub(super) struct Bench {
    gzip: Option<(u8, Compressor)>,
    stored: Option<Compressor>,
    zstd: Option<(u8, zstd::bulk::Compressor<'static>)>,
}

impl Bench {
    /// Packs one block into `out`, whatever was in it.
    pub(super) fn pack(
        &mut self,
        encoder: Encoder,
        block: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), PackError> {
        match encoder.codec() {
            Codec::Gzip => self.member(encoder.level(), block, out),
            Codec::Zstd => self.frame(encoder.level(), block, out),
        }
    }

    fn member(&mut self, level: u8, block: &[u8], out: &mut Vec<u8>) -> Result<(), PackError> {
        let compressor = if looks_random(block) {
            self.stored.get_or_insert_with(|| deflate(0))
        } else {
            let kept = self.gzip.take().filter(|(kept, _)| *kept == level);
            &mut self.gzip.insert(kept.unwrap_or_else(|| (level, deflate(level)))).1
        };
        out.resize(compressor.gzip_compress_bound(block.len()), 0);
        let n = compressor
            .gzip_compress(block, out)
            .map_err(|error| PackError::Encoder { block: block.len(), reason: error.to_string() })?;
        out.truncate(n);
        Ok(())
    }

    fn frame(&mut self, level: u8, block: &[u8], out: &mut Vec<u8>) -> Result<(), PackError> {
        let failed =
            |error: std::io::Error| PackError::Encoder { block: block.len(), reason: error.to_string() };
        let compressor = match self.zstd.take().filter(|(kept, _)| *kept == level) {
            Some(kept) => kept.1,
            None => zstd::bulk::Compressor::new(i32::from(level)).map_err(failed)?,
        };
        let (_, compressor) = self.zstd.insert((level, compressor));
        out.clear();
        out.reserve(zstd::zstd_safe::compress_bound(block.len()));
        compressor.compress_to_buffer(block, out).map_err(failed)?;
        Ok(())
    }
}

/// Level 1 is the fastest that packs: 0 only stores.
fn deflate(level: u8) -> Compressor {
    Compressor::new(CompressionLvl::new(i32::from(level)).unwrap_or_default())
}

/// Pieces of a block that are looked at.
const PIECES: usize = 32;
const PIECE: usize = 128;

/// Whether the bytes of a block come so evenly that there is nothing to gain, as in what is packed or
/// encrypted already. Deflate would take four times as long to find it out, and zstd finds it out itself.
/// Of evenly drawn bytes the sum of squared counts is n²/256 + n, give or take a hundredth.
fn looks_random(block: &[u8]) -> bool {
    if block.len() < 4 * PIECES * PIECE {
        return false;
    }
    let mut counts = [0_u32; 256];
    for piece in block.chunks(block.len() / PIECES) {
        for byte in piece.iter().take(PIECE) {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
    }
    let seen: u32 = counts.iter().sum();
    let squares: u64 = counts.iter().map(|count| u64::from(*count) * u64::from(*count)).sum();
    let seen = u64::from(seen);
    squares < (seen * seen / 256 + seen) * 21 / 20
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of a linear congruential generator, which no encoder makes smaller.
    pub(super) fn noise(len: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn what_cannot_shrink_is_told_from_text_and_programs() {
        assert!(looks_random(&noise(128 * 1024)));
        assert!(!looks_random(&"lorem ipsum dolor ".repeat(8_000).into_bytes()));
        assert!(!looks_random(&std::fs::read(std::env::current_exe().unwrap()).unwrap()[..128 * 1024]));
        let half = [noise(64 * 1024), vec![0; 64 * 1024]].concat();
        assert!(!looks_random(&half));
        let base64: Vec<u8> = noise(128 * 1024).iter().map(|byte| b'A' + byte % 64).collect();
        assert!(!looks_random(&base64));
    }

    #[test]
    fn what_cannot_shrink_is_stored_and_still_one_member() {
        let (block, mut out) = (noise(128 * 1024), Vec::new());
        Bench::default().pack(Encoder::GZIP, &block, &mut out).unwrap();
        assert!(out.len() < block.len() + 64, "{}", out.len());
        let mut back = vec![0; block.len()];
        libdeflater::Decompressor::new().gzip_decompress(&out, &mut back).unwrap();
        assert_eq!(back, block);
    }

    #[test]
    fn a_bench_that_packed_at_another_level_packs_as_a_new_one() {
        let text: Vec<u8> = (0_u32..20_000).flat_map(|line| format!("{line}\n").into_bytes()).collect();
        for codec in [Codec::Gzip, Codec::Zstd] {
            let [low, high] = [1, 6].map(|level| Encoder::new(codec, level).unwrap());
            let (mut used, mut fresh, mut bench) = (Vec::new(), Vec::new(), Bench::default());
            bench.pack(high, &text, &mut used).unwrap();
            bench.pack(low, &text, &mut used).unwrap();
            Bench::default().pack(low, &text, &mut fresh).unwrap();
            assert_eq!(used, fresh, "{codec}");
        }
    }
}
