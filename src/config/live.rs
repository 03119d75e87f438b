//! The configuration in force while the gateway runs, and the ways to change it.
//!
//! Writers go through [`Live::write`]: one at a time, against the base hash they saw, the whole result
//! checked before a byte is written. What changed is announced on a watch channel; whoever owns a part
//! (policy, listeners, logs) decides what applies at once.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, watch};

use crate::config::document::Document;
use crate::config::edit::revision::RevisionKey;
use crate::config::edit::{self, Change, Edit};
use crate::config::env::Env;
use crate::config::layers::Flags;
use crate::config::load::{self, Loaded, Purpose, Request};
use crate::config::paths::Paths;
use crate::config::problem::{Problem, Problems};

/// What a start was given and what came of it.
#[derive(Debug)]
pub struct Live {
    /// Where the files are.
    pub paths: Paths,
    /// The environment of the start.
    pub env: Env,
    /// The command line of the start.
    pub flags: Flags,
    key: RevisionKey,
    current: RwLock<Arc<Loaded>>,
    turn: Mutex<()>,
    changed: watch::Sender<u64>,
}

impl Live {
    /// Takes over a loaded configuration; `random` keys the base hashes.
    pub fn new(loaded: Loaded, env: Env, flags: Flags, random: [u8; 32]) -> Self {
        let (changed, _) = watch::channel(0);
        Self {
            paths: loaded.paths.clone(),
            env,
            flags,
            key: RevisionKey::new(random),
            current: RwLock::new(Arc::new(loaded)),
            turn: Mutex::new(()),
            changed,
        }
    }

    /// The configuration in force.
    pub fn current(&self) -> Arc<Loaded> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Rings when the configuration in force was replaced.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The base hash of a text.
    pub fn hash(&self, document: Option<&Document>) -> String {
        self.key.hash(document.map(|document| document.text.as_str()))
    }

    /// Reads the files again and puts them in force when they hold together; the old ones stay otherwise.
    ///
    /// # Errors
    /// Everything that is wrong with the new files.
    pub async fn reload(&self) -> Result<Reload, Problems> {
        let _turn = self.turn.lock().await;
        let loaded = self.load().await?;
        self.refuse_silent(&loaded)?;
        if loaded.tree.value == self.current().tree.value {
            return Ok(Reload::Same);
        }
        self.put(loaded);
        Ok(Reload::Changed)
    }

    /// Makes `edits` against the text that `base` names, writes the file and puts it in force.
    ///
    /// # Errors
    /// The base hash messages, or everything that is wrong with the result; nothing was written then.
    pub async fn write(
        self: &Arc<Self>,
        edits: Vec<Edit>,
        base: Option<String>,
    ) -> Result<Change, Problems> {
        let _turn = self.turn.lock().await;
        let live = Arc::clone(self);
        let work = move || {
            let request = live.request();
            let current = load::read(&request.paths.config)?;
            live.key.check(current.as_ref(), base.as_deref())?;
            let change = edit::prepare(&request, current.as_ref(), &edits)?;
            change.loaded.iter().try_for_each(|loaded| live.refuse_silent(loaded))?;
            if change.differs {
                edit::write::replace(&request.paths.config, &change.text)?;
            }
            Ok(change)
        };
        let change = blocking(work).await?;
        if change.differs {
            let loaded = self.load().await?;
            self.put(loaded);
        }
        Ok(change)
    }

    /// The main file as it is on disk now, and what would become of it.
    pub async fn read(self: &Arc<Self>) -> Reading {
        let live = Arc::clone(self);
        let read = blocking(move || {
            let request = live.request();
            Ok(match load::read(&request.paths.config) {
                Err(problems) => Reading { document: None, outcome: Err(problems) },
                Ok(document) => {
                    let outcome = load::assemble(&request, document.clone(), Purpose::Start);
                    Reading { document, outcome: outcome.map(Box::new) }
                }
            })
        });
        read.await.unwrap_or_else(|problems| Reading { document: None, outcome: Err(problems) })
    }

    /// The key of base hashes.
    pub fn key(&self) -> &RevisionKey {
        &self.key
    }

    /// A start refuses a file that does not say `gateway.mode`. One that did and does not any more is a save
    /// that went wrong, and it would end the secret that clients come in by.
    fn refuse_silent(&self, loaded: &Loaded) -> Result<(), Problem> {
        let says = |loaded: &Loaded| loaded.config.gateway.mode_written;
        if says(&self.current()) && !says(loaded) {
            let message = "the file no longer says whether this host runs a gateway";
            return Err(Problem::new("gateway.mode", message)
                .hint("keep `gateway.mode` in it; a start refuses a file without"));
        }
        Ok(())
    }

    async fn load(&self) -> Result<Loaded, Problems> {
        let (paths, env, flags) = (self.paths.clone(), self.env.clone(), self.flags.clone());
        blocking(move || load::load(&Request { paths: &paths, env: &env, flags: &flags })).await
    }

    fn put(&self, loaded: Loaded) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&loaded);
        self.changed.send_modify(|count| *count += 1);
        loaded
    }

    /// The question that every load of this instance asks.
    pub fn request(&self) -> Request<'_> {
        Request { paths: &self.paths, env: &self.env, flags: &self.flags }
    }
}

/// What reading the files again gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// They say what they said before, perhaps because we wrote them ourselves.
    Same,
    /// They were put in force.
    Changed,
}

/// The file on disk.
#[derive(Debug)]
pub struct Reading {
    /// Where there is one that parses.
    pub document: Option<Document>,
    /// What loading it gives.
    pub outcome: Result<Box<Loaded>, Problems>,
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problems> + Send + 'static,
) -> Result<T, Problems> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Problem::new("", format!("interrupted: {error}")).into()))
}
