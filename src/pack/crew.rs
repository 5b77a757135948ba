use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use super::PackError;
use super::block::Bench;
use super::form::Encoder;

/// Threads that pack blocks, for all layers of a run, and the memory that these may take together. The
/// threads begin with the first block and end with the crew.
pub struct Crew {
    threads: NonZeroUsize,
    jobs: OnceLock<Sender<Job>>,
    stock: Arc<Stock>,
}

struct Job {
    encoder: Encoder,
    lent: Lent,
    done: SyncSender<Result<Lent, PackError>>,
}

impl Crew {
    #[must_use]
    pub fn new(threads: NonZeroUsize) -> Self {
        // One block on each bench, one that waits for it, and one that is filled or written.
        let most = threads.get().saturating_mul(3).min(MOST_BLOCKS);
        Self { threads, jobs: OnceLock::new(), stock: Arc::new(Stock::of(most)) }
    }

    /// Begins to pack a block. The answer comes when it comes; a crew that is lost answers with nothing.
    pub(super) fn begin(&self, encoder: Encoder, lent: Lent) -> Receiver<Result<Lent, PackError>> {
        let (done, answer) = sync_channel(1);
        // A job that cannot be sent is dropped with its end of the answer, which says so.
        let _ = self.jobs.get_or_init(|| self.start()).send(Job { encoder, lent, done });
        answer
    }

    /// Memory for a block. `None` while others have all of it; who has none in work may wait for it.
    pub(super) fn lend(&self, patience: Patience) -> Option<Lent> {
        let block = self.stock.take(patience)?;
        Some(Lent { block, stock: Arc::clone(&self.stock) })
    }

    fn start(&self) -> Sender<Job> {
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..self.threads.get() {
            let waiting = Arc::clone(&waiting);
            let builder = std::thread::Builder::new().name("pack".to_owned());
            // Those that the system does not grant are missed by none but the clock.
            if let Err(error) = builder.spawn(move || work(&waiting)) {
                tracing::debug!(%error, "a thread for packing could not be started");
            }
        }
        jobs
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("threads", &self.threads).finish_non_exhaustive()
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    let mut bench = Bench::default();
    loop {
        let next = locked(waiting).recv();
        let Ok(Job { encoder, mut lent, done }) = next else { return };
        let packed = catch_unwind(AssertUnwindSafe(|| {
            let Block { input, output } = &mut lent.block;
            bench.pack(encoder, input, output)
        }));
        // Whoever panicked answers with nothing, and its bench is not trusted again.
        match packed {
            Ok(packed) => drop(done.send(packed.map(|()| lent))),
            Err(_) => bench = Bench::default(),
        }
    }
}

/// Whether to wait for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    Wait,
    Now,
}

/// Blocks of the widest crew: with what comes out of each, some 16 MiB.
const MOST_BLOCKS: usize = 32;

/// Input and output of one block.
#[derive(Default)]
pub(super) struct Block {
    pub(super) input: Vec<u8>,
    pub(super) output: Vec<u8>,
}

/// A block that goes back to the stock when it is dropped.
pub(super) struct Lent {
    pub(super) block: Block,
    stock: Arc<Stock>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.stock.put(std::mem::take(&mut self.block));
    }
}

struct Stock {
    blocks: Mutex<Vec<Block>>,
    back: Condvar,
}

impl Stock {
    fn of(most: usize) -> Self {
        let blocks = std::iter::repeat_with(Block::default).take(most).collect();
        Self { blocks: Mutex::new(blocks), back: Condvar::new() }
    }

    fn take(&self, patience: Patience) -> Option<Block> {
        let mut blocks = locked(&self.blocks);
        while patience == Patience::Wait && blocks.is_empty() {
            blocks = self.back.wait(blocks).unwrap_or_else(PoisonError::into_inner);
        }
        blocks.pop()
    }

    fn put(&self, block: Block) {
        locked(&self.blocks).push(block);
        self.back.notify_one();
    }
}

/// What a thread that panicked left is whole: nothing is done under these locks but moving a value.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
