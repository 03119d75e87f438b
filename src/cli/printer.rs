//! The only writer to stdout and stderr.
//!
//! Data goes to stdout, everything else to stderr. Every text passes [`words::safe`], so nothing that a
//! gateway said can command the terminal (`I10`). Colours and the spinner appear on a terminal alone, and
//! not with `NO_COLOR` or `--no-color`. A reader that went away is no failure.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use comfy_table::{Attribute, Color, ContentArrangement, Table, presets::NOTHING};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::{
    cli::{failure::Failure, words},
    config::problem::Warning,
};

/// How a piece of text looks on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Strong,
    Good,
    Warn,
    Bad,
    Dim,
}

impl Style {
    fn ansi(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Strong => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Warn => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Dim => "\u{1b}[2m",
        }
    }
}

/// A text with its style.
#[derive(Debug, Clone)]
pub struct Span(pub Style, pub String);

impl From<&str> for Span {
    fn from(text: &str) -> Self {
        Self(Style::Plain, text.to_owned())
    }
}

impl From<String> for Span {
    fn from(text: String) -> Self {
        Self(Style::Plain, text)
    }
}

/// What a stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Plain,
    Colour,
}

/// Writes everything that a command says.
pub struct Printer {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_look: Look,
    err_look: Look,
    /// Columns of a terminal; a pipe has none and gets whole lines.
    width: Option<u16>,
    live: bool,
}

/// Narrower than this no table is readable; wider lines are hard to follow.
const WIDTH: std::ops::RangeInclusive<u16> = 60..=160;

impl Printer {
    /// The process's own streams.
    #[must_use]
    pub fn process(colour: Look) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        let look = |terminal: bool| if terminal { colour } else { Look::Plain };
        let size = rustix_width(&out);
        Self {
            out_look: look(out.is_terminal()),
            err_look: look(err.is_terminal()),
            width: size.map(|width| width.clamp(*WIDTH.start(), *WIDTH.end())),
            live: err.is_terminal(),
            out: Box::new(out),
            err: Box::new(err),
        }
    }

    /// Two given streams that are no terminal.
    #[must_use]
    pub fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self { out, err, out_look: Look::Plain, err_look: Look::Plain, width: None, live: false }
    }

    /// How stderr looks.
    #[must_use]
    pub fn look(&self) -> Look {
        self.err_look
    }

    /// Whether a person alone reads stdout.
    #[must_use]
    pub fn shows_secrets(&self) -> bool {
        self.width.is_some()
    }

    /// One line of data.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.spans(&[text.into()])
    }

    /// One line of data in several styles.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn spans(&mut self, spans: &[Span]) -> Result<(), Failure> {
        let text: String = spans.iter().map(|span| paint(self.out_look, span)).collect();
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// A JSON document, indented.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn json(&mut self, value: &Value) -> Result<(), Failure> {
        writeln!(self.out, "{}", clean_json(&format!("{value:#}")))?;
        Ok(())
    }

    /// A JSON document on one line.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn json_line(&mut self, value: &Value) -> Result<(), Failure> {
        writeln!(self.out, "{}", clean_json(&value.to_string()))?;
        self.out.flush()?;
        Ok(())
    }

    /// Bytes as they are: a completion script.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        Ok(())
    }

    /// A table without lines, its header strong.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<Span>>) -> Result<(), Failure> {
        let mut table = Table::new();
        table.load_preset(NOTHING).force_no_tty();
        if self.out_look == Look::Colour {
            table.enforce_styling();
        }
        match self.width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width)
            }
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if !header.is_empty() {
            table.set_header(
                header
                    .iter()
                    .map(|name| comfy_table::Cell::new(name).add_attribute(Attribute::Bold)),
            );
        }
        for row in rows {
            table.add_row(row.into_iter().map(cell));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Names and values, the names aligned.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn pairs(&mut self, rows: Vec<(&str, Span)>) -> Result<(), Failure> {
        let rows = rows
            .into_iter()
            .map(|(name, value)| vec![Span(Style::Dim, name.to_owned()), value])
            .collect();
        self.table(&[], rows)
    }

    /// Something worth knowing that is not the answer. stderr is not worth failing for.
    pub fn note(&mut self, text: &str) {
        self.complain(&[text.into()]);
    }

    pub fn warn(&mut self, text: &str) {
        self.complain(&[Span(Style::Warn, "warning".to_owned()), format!(": {text}").into()]);
    }

    pub fn warning(&mut self, warning: &Warning) {
        let named = warning.message.contains(&format!("`{}`", warning.key));
        match named {
            true => self.warn(&warning.message),
            false => self.warn(&format!("`{}`: {}", warning.key, warning.message)),
        }
        if !warning.hint.is_empty() {
            self.hint(&warning.hint);
        }
    }

    pub fn hint(&mut self, text: &str) {
        self.complain(&[Span(Style::Dim, "  hint: ".to_owned()), text.into()]);
    }

    /// A failure for people.
    pub fn failure(&mut self, failure: &Failure) {
        let message = format!(": {}", failure.message);
        self.complain(&[Span(Style::Bad, "error".to_owned()), message.into()]);
        for hint in &failure.hints {
            self.hint(hint);
        }
    }

    fn complain(&mut self, spans: &[Span]) {
        let text: String = spans.iter().map(|span| paint(self.err_look, span)).collect();
        drop(writeln!(self.err, "{text}"));
    }

    /// A spinner on a terminal, nothing elsewhere. It goes when it is dropped.
    #[must_use]
    pub fn spinner(&self, text: &str) -> Spinner {
        if !self.live {
            return Spinner(None);
        }
        let bar = ProgressBar::new_spinner().with_message(words::safe_line(text));
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Spinner(Some(bar))
    }
}

/// A running spinner.
pub struct Spinner(Option<ProgressBar>);

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn paint(look: Look, Span(style, text): &Span) -> String {
    let text = words::safe(text);
    match (look, style) {
        (Look::Plain, _) | (Look::Colour, Style::Plain) => text,
        (Look::Colour, style) => format!("{}{text}\u{1b}[0m", style.ansi()),
    }
}

fn cell(Span(style, text): Span) -> comfy_table::Cell {
    let cell = comfy_table::Cell::new(words::safe_line(&text));
    match style {
        Style::Plain => cell,
        Style::Strong => cell.add_attribute(Attribute::Bold),
        Style::Good => cell.fg(Color::Green),
        Style::Warn => cell.fg(Color::Yellow),
        Style::Bad => cell.fg(Color::Red),
        Style::Dim => cell.add_attribute(Attribute::Dim),
    }
}

/// JSON escapes the C0 controls itself; DEL and the C1 controls are escaped here (`I10`).
fn clean_json(text: &str) -> String {
    if !text.chars().any(|c| matches!(c, '\u{7f}'..='\u{9f}')) {
        return text.to_owned();
    }
    let escape = |c: char| match c {
        '\u{7f}'..='\u{9f}' => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn rustix_width(out: &io::Stdout) -> Option<u16> {
    if !out.is_terminal() {
        return None;
    }
    console_width()
}

fn console_width() -> Option<u16> {
    let mut probe = Table::new();
    probe.set_content_arrangement(ContentArrangement::Dynamic);
    probe.width()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::Captured;

    #[test]
    fn i10_remote_text_is_harmless_everywhere() {
        let captured = Captured::default();
        let mut printer = captured.printer();
        let evil = "\u{1b}]0;owned\u{7}\u{9b}2J";
        printer.line(evil).expect("line");
        printer.table(&["A"], vec![vec![evil.into()]]).expect("table");
        printer.pairs(vec![("name", evil.into())]).expect("pairs");
        printer.json(&serde_json::json!({ evil: evil })).expect("json");
        printer.json_line(&serde_json::json!([evil])).expect("line");
        printer.note(evil);
        printer.failure(&Failure::usage(evil).hint(evil));
        let all = captured.out() + &captured.err();
        assert!(!all.chars().any(|c| c.is_control() && c != '\n'), "{all:?}");
    }

    #[test]
    fn json_stays_json_when_controls_are_escaped() {
        let captured = Captured::default();
        let value = serde_json::json!({ "a": "\u{9b}\u{7f}\u{85}é" });
        captured.printer().json_line(&value).expect("line");
        let read: Value = serde_json::from_str(&captured.out()).expect("json");
        assert_eq!(read, value);
    }

    #[test]
    fn colours_only_where_asked() {
        let span = Span(Style::Bad, "no".to_owned());
        assert_eq!(paint(Look::Plain, &span), "no");
        assert_eq!(paint(Look::Colour, &span), "\u{1b}[31mno\u{1b}[0m");
    }

    #[test]
    fn a_reader_that_went_away_is_success() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut printer = Printer::to(Box::new(Gone), Box::new(Gone));
        let failure = printer.line("x").expect_err("broken");
        assert_eq!(failure.exit, crate::cli::failure::Exit::Ok);
        printer.note("nobody hears it");
    }
}
