//! The thread that owns the store: everything that touches the disk happens here, and nowhere else.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll};
use std::time::Duration;

use replica::archive::{Archive, Batch, Opened, StoredBlock};
use replica::documents::PageRow;
use replica::id::{Position, RoomId, StoreId};
use replica::identity::Identity;
use replica::order::OrderKey;
use replica::store::StoreError;
use tokio::sync::{mpsc, oneshot};

use crate::conversation::ConnectionId;
use crate::engine::Row;
use crate::node::{Answer, NodeError, Verified};

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Commit(Batch),
    Read(ConnectionId, Vec<Position>),
    ReadNewest(ConnectionId, usize),
    Page { before: Option<OrderKey>, count: usize, answer: Answer<Vec<Row>> },
    Verify(Answer<Verified>),
    Export(Answer<Vec<u8>>),
    Bundle(Identity, Answer<Vec<u8>>),
}

/// What it answers to the loop.
#[derive(Debug)]
pub(super) enum Kept {
    Persisted(Vec<u32>),
    Blocks(ConnectionId, Vec<StoredBlock>),
    Newest(ConnectionId, Vec<Position>, Vec<StoredBlock>),
    Page(Vec<PageRow>, Answer<Vec<Row>>),
    Failed(StoreError),
}

/// How far the documents are, for the report.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) behind: AtomicUsize,
    pub(super) documents_in_use: AtomicUsize,
}

/// The loop's end of the thread.
#[derive(Debug)]
pub(super) struct Keeper {
    jobs: SyncSender<Job>,
    /// What the queue had no room for, oldest first: one batch, a read for each connection, and what requests wait for.
    waiting: VecDeque<Job>,
    kept: mpsc::Receiver<Kept>,
    pub(super) progress: Arc<Progress>,
    thread: std::thread::JoinHandle<()>,
}

/// The room to open.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) room: RoomId,
    /// Names for a store that has none, or must take new ones.
    pub(super) fresh: (StoreId, u64),
    pub(super) renew: bool,
    pub(super) maintains: bool,
}

impl Keeper {
    /// Opens a room's store on a thread of its own. With it comes why nothing may be handed over to be kept, if the system
    /// does not let us write: the store is then read into memory.
    pub(super) async fn open(place: Place) -> Result<(Self, Opened, Option<StoreError>), NodeError> {
        let (jobs, todo) = sync_channel(JOBS_MAX);
        let (answers, kept) = mpsc::channel(JOBS_MAX);
        let (opened, is_open) = oneshot::channel();
        let progress = Arc::new(Progress::default());
        let folder = place.folder.clone();
        let failed = |source| NodeError::Store { folder: folder.clone(), source };
        let shared = Arc::clone(&progress);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let maintains = place.maintains;
                match open(&place) {
                    Ok((archive, found, trouble)) => {
                        let may_fold = trouble.is_none();
                        if opened.send(Ok((found, trouble))).is_ok() {
                            Worker {
                                archive,
                                todo,
                                answers,
                                progress: shared,
                                maintains,
                                may_fold,
                                just_failed: false,
                                folder: place.folder,
                            }
                            .run();
                        }
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })
            .map_err(|error| failed(error.into()))?;
        let (found, trouble) = is_open.await.map_err(|_| NodeError::Stopped)?.map_err(failed)?;
        Ok((Self { jobs, waiting: VecDeque::new(), kept, progress, thread }, found, trouble))
    }

    /// Hands a job over, in order.
    pub(super) fn ask(&mut self, job: Job) {
        self.waiting.push_back(job);
        self.hand_over();
    }

    /// The next answer; none once the thread has ended.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Kept>> {
        let kept = self.kept.poll_recv(context);
        if kept.is_ready() {
            // Where the queue was full there is room now.
            self.hand_over();
        }
        kept
    }

    fn hand_over(&mut self) {
        while let Some(job) = self.waiting.pop_front() {
            match self.jobs.try_send(job) {
                Ok(()) => {}
                Err(TrySendError::Full(job)) => return self.waiting.push_front(job),
                Err(TrySendError::Disconnected(_)) => return tracing::warn!("the store's thread has ended"),
            }
        }
    }

    /// Has the store left in order after what it was handed, and waits for it.
    pub(super) async fn close(self) {
        let Self { jobs, mut kept, thread, .. } = self;
        drop(jobs);
        // Answers to what was asked before are of no use any more, and must not hold the thread up.
        while kept.recv().await.is_some() {}
        if thread.join().is_err() {
            tracing::error!("the store's thread panicked");
        }
    }
}

fn open(place: &Place) -> Result<(Archive, Opened, Option<StoreError>), StoreError> {
    match Archive::open_in(&place.folder, place.room, place.fresh, place.renew) {
        Ok((archive, found)) => Ok((archive, found, None)),
        Err(StoreError::Io(error)) => {
            let read = Archive::open_to_read(&place.folder, place.room, place.fresh);
            match read {
                Ok((archive, found)) => Ok((archive, found, Some(error.into()))),
                Err(_) => Err(error.into()),
            }
        }
        Err(error) => Err(error),
    }
}

struct Worker {
    archive: Archive,
    todo: Receiver<Job>,
    answers: mpsc::Sender<Kept>,
    progress: Arc<Progress>,
    maintains: bool,
    /// Whether the log may have small blocks to put together.
    may_fold: bool,
    /// Whether the store failed, and nothing was read since.
    just_failed: bool,
    folder: PathBuf,
}

impl Worker {
    fn run(mut self) {
        while let Some(job) = self.next_job() {
            self.work(job);
            self.tell_progress();
        }
        if let Err(error) = self.archive.close() {
            tracing::warn!(%error, "the store was not closed in order; nothing acknowledged is lost");
        }
    }

    /// The next job. After a short rest the documents are brought up to date and small blocks are put together, a little at
    /// a time; what takes longer waits until nothing was asked for a while.
    fn next_job(&mut self) -> Option<Job> {
        let mut rest = MAINTAIN_AFTER;
        let mut is_quiet = false;
        while self.may_fold || self.maintains && self.archive.has_to_maintain() {
            match self.todo.recv_timeout(rest) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => is_quiet |= rest == SAVE_AFTER,
            }
            match self.keep_up(is_quiet) {
                Ok(true) => rest = Duration::ZERO,
                Ok(false) => rest = SAVE_AFTER,
                Err(error) => self.fail(error),
            }
            self.tell_progress();
        }
        self.todo.recv().ok()
    }

    /// Does a little of what is behind. Answers whether there was something that need not wait.
    fn keep_up(&mut self, is_quiet: bool) -> Result<bool, StoreError> {
        if self.maintains && self.archive.maintain(MAINTAIN_ROWS, is_quiet)? {
            return Ok(true);
        }
        let folds = std::mem::take(&mut self.may_fold);
        if folds {
            self.may_fold = self.archive.fold()?;
        }
        Ok(folds)
    }

    fn work(&mut self, job: Job) {
        if !matches!(job, Job::Commit(_))
            && std::mem::take(&mut self.just_failed)
            && let Err(error) = self.archive.read_on(&self.folder)
        {
            tracing::warn!(%error, "of a store that failed, not everything may be readable");
        }
        match job {
            Job::Commit(batch) => {
                let outcome = self.archive.commit(&batch);
                self.may_fold |= outcome.is_ok();
                self.conclude(outcome.map(Kept::Persisted));
            }
            Job::Read(connection, positions) => {
                let outcome = self.archive.blocks(&positions);
                self.conclude(outcome.map(|blocks| Kept::Blocks(connection, blocks)));
            }
            Job::ReadNewest(connection, count) => {
                let outcome = self.archive.newest(count);
                self.conclude(outcome.map(|(positions, blocks)| Kept::Newest(connection, positions, blocks)));
            }
            Job::Page { before, count, answer } => match self.archive.page(before.as_ref(), count) {
                Ok(rows) => self.answer(Kept::Page(rows, answer)),
                Err(source) => {
                    let folder = self.folder.clone();
                    drop(answer.send(Err(NodeError::Store { folder, source })));
                }
            },
            Job::Verify(answer) => drop(answer.send(self.archive.verify().map_err(NodeError::from))),
            Job::Bundle(identity, answer) => {
                let bundle = self.archive.bundle(&identity);
                let folder = self.folder.clone();
                drop(answer.send(bundle.map_err(|source| NodeError::Store { folder, source })));
            }
            Job::Export(answer) => drop(answer.send(self.archive.export().map_err(|_| NodeError::Export))),
        }
    }

    fn conclude(&mut self, outcome: Result<Kept, StoreError>) {
        match outcome {
            Ok(kept) => self.answer(kept),
            Err(error) => self.fail(error),
        }
    }

    fn fail(&mut self, error: StoreError) {
        (self.maintains, self.may_fold, self.just_failed) = (false, false, true);
        self.answer(Kept::Failed(error));
    }

    fn answer(&self, kept: Kept) {
        // The loop is gone only when the program ends.
        self.answers.blocking_send(kept).ok();
    }

    fn tell_progress(&self) {
        self.progress.behind.store(self.archive.behind(), Ordering::Relaxed);
        self.progress.documents_in_use.store(self.archive.documents_in_use(), Ordering::Relaxed);
    }
}

/// Most jobs waiting: a read for every connection, a commit, and some pages.
const JOBS_MAX: usize = 256;

/// How long the store rests before it turns to the documents: a burst of writing is not held up by them.
const MAINTAIN_AFTER: Duration = Duration::from_millis(20);

/// How long nothing may be asked before a document is saved: whoever is typing is not held up by it. If the process is
/// killed before, its rows are applied again from the log.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// Rows applied between two looks at the queue: some 2 ms.
const MAINTAIN_ROWS: usize = 256;
