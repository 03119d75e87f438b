//! Output in memory, and a context in a temporary home.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use tempfile::TempDir;

use crate::{
    cli::{context::Context, printer::Printer},
    config::{
        env::Env,
        paths::{Instance, Paths},
    },
};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("buffer").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("buffer").clone()).expect("utf-8")
    }
}

/// What a printer wrote.
#[derive(Clone, Default)]
pub(crate) struct Captured {
    out: Buffer,
    err: Buffer,
}

impl Captured {
    pub(crate) fn printer(&self) -> Printer {
        Printer::to(Box::new(self.out.clone()), Box::new(self.err.clone()))
    }

    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    pub(crate) fn err(&self) -> String {
        self.err.text()
    }
}

/// A fixed time: 2026-11-20 09:20:00 UTC.
pub(crate) const NOW_MS: u64 = 1_795_166_400_000;

/// A home of its own.
pub(crate) struct Home {
    pub(crate) context: Context,
    pub(crate) captured: Captured,
    _folder: TempDir,
}

impl Home {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("temp");
        let home = folder.path().to_str().expect("utf-8").to_owned();
        let own = [("HOME", home.as_str())];
        let env = Env::of(own.into_iter().chain(variables.iter().copied()));
        let paths = Paths::resolve(&Instance::Default, &env).expect("paths");
        let captured = Captured::default();
        let context = Context {
            env,
            paths,
            printer: captured.printer(),
            now_ms: NOW_MS,
            instance: String::new(),
        };
        Self { context, captured, _folder: folder }
    }
}
