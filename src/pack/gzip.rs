use libdeflater::{CompressionLvl, Compressor};

use super::PackError;

/// Input bytes a member. Each block is packed by itself, so that blocks can be packed in parallel and
/// come out the same in any order of work; readers take the members as one stream (RFC 1952, 2.2).
pub(super) const BLOCK: usize = 128 * 1024;

/// Packs blocks into gzip members.
pub(super) struct Members {
    compressor: Compressor,
    out: Vec<u8>,
}

impl Members {
    /// Level 1: what `fastest` names is level 0, which only stores.
    pub(super) fn new() -> Self {
        let level = CompressionLvl::new(1).unwrap_or_default();
        Self { compressor: Compressor::new(level), out: Vec::new() }
    }

    /// One block as a whole member; the slice is valid until the next call.
    pub(super) fn member(&mut self, block: &[u8]) -> Result<&[u8], PackError> {
        let bound = self.compressor.gzip_compress_bound(block.len());
        self.out.resize(bound, 0);
        let n = self
            .compressor
            .gzip_compress(block, &mut self.out)
            .map_err(|_| PackError::Compressor { block: block.len() })?;
        Ok(self.out.get(..n).unwrap_or_default())
    }
}
