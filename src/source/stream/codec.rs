use flate2::{Decompress as Inflate, FlushDecompress};
use liblzma::stream::{Action, Error as XzError, Status as XzStatus, Stream as Xz, TELL_UNSUPPORTED_CHECK};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name, zstd_sys};

use crate::port::UnpackError;
use crate::source::magic::Outer;

/// Exponent of the largest window that zstd may ask for: 128 MiB, which `zstd --long` writes.
const ZSTD_WINDOW: u32 = 27;
const ZSTD_MEMORY: u64 = 1 << ZSTD_WINDOW;
/// A dictionary of 64 MiB, which `xz -9` writes, and what the decoder takes around it.
const XZ_MEMORY: u64 = 66 << 20;
/// gzip has one size of window (RFC 1952).
const GZIP_WINDOW_BITS: u8 = 15;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes of the input that were used.
    pub(super) taken: usize,
    /// Bytes of the output that were written.
    pub(super) given: usize,
    /// Whether a member, stream or frame is complete, its checksum compared.
    pub(super) ended: bool,
}

/// Unpacks one gzip member, zstd frame, xz stream or bzip2 stream.
pub(super) enum Codec {
    Gzip(Inflate),
    Zstd(DCtx<'static>),
    Xz(Xz),
    /// Its blocks have 900 kB at most, so that it needs no bound.
    Bzip2(bzip2::Decompress),
}

impl Codec {
    /// # Errors
    /// When there is no memory for it.
    pub(super) fn new(outer: Outer) -> Result<Self, UnpackError> {
        Ok(match outer {
            Outer::Gzip => Self::Gzip(Inflate::new_gzip(GZIP_WINDOW_BITS)),
            Outer::Zstd => {
                let mut context = DCtx::create();
                let bound = DParameter::WindowLogMax(ZSTD_WINDOW);
                context.set_parameter(bound).map_err(|code| corrupt(outer, get_error_name(code)))?;
                Self::Zstd(context)
            }
            Outer::Xz => {
                Self::Xz(Xz::new_stream_decoder(XZ_MEMORY, TELL_UNSUPPORTED_CHECK).map_err(xz_error)?)
            }
            Outer::Bzip2 => Self::Bzip2(bzip2::Decompress::new(false)),
        })
    }

    /// Unpacks what fits of `input` into `output`.
    ///
    /// # Errors
    /// When the content is damaged, or wants more memory than it may have.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, UnpackError> {
        match self {
            Self::Gzip(inflate) => {
                let before = (inflate.total_in(), inflate.total_out());
                let status = inflate
                    .decompress(input, output, FlushDecompress::None)
                    .map_err(|error| corrupt(Outer::Gzip, error.message().unwrap_or("bad data")))?;
                let after = (inflate.total_in(), inflate.total_out());
                let (taken, given) = moved(before, after);
                Ok(Step { taken, given, ended: status == flate2::Status::StreamEnd })
            }
            Self::Zstd(context) => {
                let (mut input, mut output) = (InBuffer::around(input), OutBuffer::around(output));
                let left = context.decompress_stream(&mut output, &mut input).map_err(zstd_error)?;
                Ok(Step { taken: input.pos(), given: output.pos(), ended: left == 0 })
            }
            Self::Xz(stream) => {
                let before = (stream.total_in(), stream.total_out());
                let status = stream.process(input, output, Action::Run).map_err(xz_error)?;
                let after = (stream.total_in(), stream.total_out());
                let (taken, given) = moved(before, after);
                Ok(Step { taken, given, ended: status == XzStatus::StreamEnd })
            }
            Self::Bzip2(stream) => {
                let before = (stream.total_in(), stream.total_out());
                let status = stream
                    .decompress(input, output)
                    .map_err(|error| corrupt(Outer::Bzip2, &error.to_string()))?;
                let after = (stream.total_in(), stream.total_out());
                let (taken, given) = moved(before, after);
                Ok(Step { taken, given, ended: status == bzip2::Status::StreamEnd })
            }
        }
    }
}

/// How far the totals of bytes in and out went. A step moves no more than its buffers hold.
fn moved(before: (u64, u64), after: (u64, u64)) -> (usize, usize) {
    let moved = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    (moved(before.0, after.0), moved(before.1, after.1))
}

fn corrupt(outer: Outer, reason: &str) -> UnpackError {
    UnpackError::Corrupt { codec: outer.name(), reason: reason.to_owned() }
}

fn zstd_error(code: usize) -> UnpackError {
    let too_large = zstd_sys::ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge as usize;
    // Errors are the negative of their numbers.
    if code == too_large.wrapping_neg() {
        return UnpackError::Memory { codec: Outer::Zstd.name(), limit: ZSTD_MEMORY };
    }
    corrupt(Outer::Zstd, get_error_name(code))
}

fn xz_error(error: XzError) -> UnpackError {
    match error {
        XzError::MemLimit => UnpackError::Memory { codec: Outer::Xz.name(), limit: 64 << 20 },
        error => corrupt(Outer::Xz, &error.to_string()),
    }
}
