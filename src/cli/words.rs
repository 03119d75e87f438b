//! Numbers as a person says them, and text of the other side made safe to print.

/// `text` with every character that a terminal would obey replaced (`I10`): C0 and C1 controls, and the
/// marks that reorder text. Line ends and tabs stay.
#[must_use]
pub fn safe(text: &str) -> String {
    text.chars()
        .filter(|c| *c != '\r')
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() || reorders(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// [`safe`] on one line.
#[must_use]
pub fn safe_line(text: &str) -> String {
    safe(text).replace(['\n', '\t'], " ")
}

fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `3 s`, `5 min`, `2 h 10 min`, `4 d`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{s} s"),
        60..3600 => format!("{} min", s / 60),
        3600..86400 if (s % 3600) / 60 == 0 => format!("{} h", s / 3600),
        3600..86400 => format!("{} h {} min", s / 3600, (s % 3600) / 60),
        _ => format!("{} d", s / 86400),
    }
}

/// `just now`, `5 min ago`.
#[must_use]
pub fn age(then_ms: u64, now_ms: u64) -> String {
    match now_ms.saturating_sub(then_ms) {
        0..1000 => "just now".to_owned(),
        ms => format!("{} ago", duration(ms)),
    }
}

/// `1 session`, `2 sessions`.
#[must_use]
pub fn count(number: u64, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// The first characters of a long id, enough to tell two apart.
#[must_use]
pub fn short(id: &str) -> String {
    const SHOWN: usize = 12;
    match id.chars().count() > SHOWN + 1 {
        true => id.chars().take(SHOWN).chain(['…']).collect(),
        false => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_nothing_reaches_the_terminal_as_a_command() {
        let rows = [
            ("\u{1b}[2Jx\u{7}", "\u{fffd}[2Jx\u{fffd}"),
            ("a\u{9b}31mb", "a\u{fffd}31mb"),
            ("user\u{202e}txt.exe", "user\u{fffd}txt.exe"),
            ("two\nlines\tkept\r\n", "two\nlines\tkept\n"),
            ("\u{7f}", "\u{fffd}"),
            ("grün ✓", "grün ✓"),
        ];
        for (text, shown) in rows {
            assert_eq!(safe(text), shown);
        }
        assert_eq!(safe_line("a\nb\tc"), "a b c");
    }

    #[test]
    fn times_are_words() {
        let rows = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 min"),
            (3_600_000, "1 h"),
            (3_660_000, "1 h 1 min"),
            (86_400_000, "1 d"),
            (10 * 86_400_000, "10 d"),
        ];
        for (ms, words) in rows {
            assert_eq!(duration(ms), words);
        }
        assert_eq!(age(1000, 1500), "just now");
        assert_eq!(age(1000, 61_000), "1 min ago");
        assert_eq!(age(2000, 1000), "just now");
    }
}
