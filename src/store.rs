//! State that must survive: one SQLite file, WAL, one writer thread.
//!
//! `Store::run` hands a closure to the thread that owns the connection and waits for its result, inside
//! one transaction that is durable (`synchronous=FULL`) before the caller is answered. Readers keep their
//! own copies in memory, so no request path waits for the disk unless it changes something.
//!
//! * `schema`: tables and migrations
//! * `private_file`: small files that only we may read; `runtime_file`: where the running gateway listens

pub mod private_file;
pub mod runtime_file;
pub mod schema;

use std::{
    fmt,
    path::{Path, PathBuf},
    thread,
};

use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::{mpsc, oneshot};

/// Changes waiting for the writer; more means the disk is stuck, and callers wait.
const QUEUE: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A handle on the writer thread. Cheap to clone; the thread ends when the last handle is dropped.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

/// Why state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state file `{}` cannot be opened: {cause}", path.display())]
    Open { path: PathBuf, cause: rusqlite::Error },
    #[error(
        "the state file was written by a newer openclaw (schema {found}, this one knows {known})"
    )]
    Newer { found: u32, known: u32 },
    #[error("state could not be written: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the gateway is stopping")]
    Closed,
}

impl Store {
    /// Opens (or creates, mode 0600 under our umask) the state file and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Open`] and [`StoreError::Newer`], both before anything is written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let connection = Connection::open_with_flags(path, flags)
            .map_err(|cause| StoreError::Open { path: path.to_owned(), cause })?;
        Self::start(connection)
    }

    /// A store that lives in memory, for tests and dry runs.
    ///
    /// # Errors
    /// Whatever SQLite says.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::start(Connection::open_in_memory()?)
    }

    fn start(mut connection: Connection) -> Result<Self, StoreError> {
        schema::prepare(&mut connection)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
        };
        thread::Builder::new().name("store".to_owned()).spawn(work).map_err(|error| {
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOMEM);
            StoreError::Sqlite(rusqlite::Error::SqliteFailure(code, Some(error.to_string())))
        })?;
        Ok(Self { jobs })
    }

    /// Runs `work` in one transaction; what it returned is durable when this returns `Ok`.
    ///
    /// # Errors
    /// The transaction is rolled back and the cause returned.
    pub async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that went away no longer wants the answer; the change stays.
            reply.send(transact(connection, work)).ok();
        });
        self.jobs.send(job).await.map_err(|_gone| StoreError::Closed)?;
        answer.await.map_err(|_gone| StoreError::Closed)?
    }
}

fn transact<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    let transaction = connection.transaction()?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_change_leaves_nothing() {
        let store = Store::in_memory().expect("store");
        let failed = store
            .run(|tx| {
                tx.execute("INSERT INTO meta (key, value) VALUES ('a', '1')", [])?;
                tx.execute("INSERT INTO no_such_table VALUES (1)", [])
            })
            .await;
        assert!(matches!(failed, Err(StoreError::Sqlite(_))), "{failed:?}");
        let count = store
            .run(|tx| tx.query_row("SELECT count(*) FROM meta", [], |row| row.get::<_, i64>(0)));
        assert_eq!(count.await.expect("count"), 0);
    }

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_reopening() {
        let home = tempfile::tempdir().expect("home");
        let path = home.path().join("gateway.sqlite");
        let store = Store::open(&path).expect("open");
        store
            .run(|tx| tx.execute("INSERT INTO meta (key, value) VALUES ('a', '1')", []))
            .await
            .expect("insert");
        let again = Store::open(&path).expect("a second reader while the first is still open");
        let value = again
            .run(|tx| tx.query_row("SELECT value FROM meta", [], |row| row.get::<_, String>(0)));
        assert_eq!(value.await.expect("value"), "1");
    }

    #[test]
    fn a_newer_schema_is_refused_untouched() {
        let home = tempfile::tempdir().expect("home");
        let path = home.path().join("gateway.sqlite");
        let raw = Connection::open(&path).expect("raw");
        raw.pragma_update(None, "user_version", 999).expect("pragma");
        drop(raw);
        let refused = Store::open(&path).map(|_| ()).expect_err("newer");
        assert!(matches!(refused, StoreError::Newer { found: 999, .. }), "{refused}");
    }
}
