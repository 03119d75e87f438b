//! The table as text and as JSON, and the check of a smoke run.

use comfy_table::{CellAlignment, Table, TableComponent, presets::UTF8_HORIZONTAL_ONLY};
use serde_json::{Map, Value, json};

use crate::{
    Outcome,
    contender::Kind,
    rows::{Sample, Target},
    run::{Line, Report},
};

const KINDS: [Kind; 3] = [Kind::Gateway, Kind::Limit, Kind::Official];

impl Line {
    fn sample(&self, kind: Kind) -> Option<&Sample> {
        self.cells.get(&kind).and_then(|cell| cell.as_ref().ok())
    }

    /// The gateway's value in parts of the limit's.
    fn ratio(&self) -> Option<f64> {
        Some(self.sample(Kind::Gateway)?.value / self.sample(Kind::Limit)?.value)
    }

    /// Whether value and CPU meet their targets; `None` where there is none.
    fn is_met(&self) -> Option<bool> {
        let sample = self.sample(Kind::Gateway)?;
        let value = match self.row.target {
            Target::AtMost(most) => Some(sample.value <= most),
            Target::PartOfLimit(part) => Some(self.ratio()? >= part),
            Target::TimesLimit(times) => Some(self.ratio()? <= times),
            Target::Shown => None,
        };
        let cpu = self.row.cpu.and_then(|most| Some(sample.cpu_us? <= most));
        match (value, cpu) {
            (None, None) => None,
            (value, cpu) => Some(value.unwrap_or(true) && cpu.unwrap_or(true)),
        }
    }

    fn target(&self) -> String {
        let unit = self.row.unit;
        let value = match self.row.target {
            Target::AtMost(most) => format!("<= {} {unit}", short(most)),
            Target::PartOfLimit(part) => format!(">= {:.0} % of limit", part * 100.0),
            Target::TimesLimit(times) => format!("<= {times} x limit"),
            Target::Shown => String::new(),
        };
        let cpu = self.row.cpu.map(|most| format!("<= {} us", short(most)));
        [Some(value).filter(|text| !text.is_empty()), cpu]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn value(&self, kind: Kind) -> String {
        match self.cells.get(&kind) {
            None => String::new(),
            Some(Err(reason)) => reason.lines().next().unwrap_or_default().to_owned(),
            Some(Ok(sample)) => {
                let note = sample.note.as_ref().map(|note| format!("\n({note})"));
                let note = note.unwrap_or_default();
                format!("{} {}{note}", short(sample.value), self.row.unit)
            }
        }
    }

    fn cpu(&self, kind: Kind) -> String {
        let cost = self.sample(kind).and_then(|sample| sample.cpu_us);
        cost.map_or_else(String::new, |cost| format!("{} us", short(cost)))
    }

    fn json(&self) -> Value {
        let cell = |kind: Kind| match self.cells.get(&kind)? {
            Ok(sample) => Some(json!({
                "value": sample.value, "cpuUs": sample.cpu_us, "note": sample.note,
            })),
            Err(reason) => Some(json!({ "error": reason })),
        };
        let servers =
            KINDS.into_iter().filter_map(|kind| Some((kind.name().to_owned(), cell(kind)?)));
        json!({
            "name": self.row.name, "unit": self.row.unit, "ratio": self.ratio(),
            "target": self.target(), "met": self.is_met(), "servers": Map::from_iter(servers),
        })
    }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

pub(crate) fn text(report: &Report) -> String {
    let has_official = report.lines.iter().any(|line| line.cells.contains_key(&Kind::Official));
    let mut head = vec!["figure", "gateway", "limit", "ratio", "CPU/op", "limit CPU/op"];
    if has_official {
        head.extend(["official", "official CPU/op"]);
    }
    head.extend(["target", "met"]);
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(&head);
    for line in [
        TableComponent::HorizontalLines,
        TableComponent::MiddleIntersections,
        TableComponent::LeftBorderIntersections,
        TableComponent::RightBorderIntersections,
    ] {
        table.remove_style(line);
    }
    for line in &report.lines {
        let ratio = line.ratio().map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let mut cells = vec![
            line.row.name.to_owned(),
            line.value(Kind::Gateway),
            line.value(Kind::Limit),
            ratio,
            line.cpu(Kind::Gateway),
            line.cpu(Kind::Limit),
        ];
        if has_official {
            cells.extend([line.value(Kind::Official), line.cpu(Kind::Official)]);
        }
        let met = line.is_met().map_or("", |met| if met { "yes" } else { "NO" });
        cells.extend([line.target(), met.to_owned()]);
        table.add_row(cells);
    }
    let numbers = head.len().saturating_sub(2);
    for column in table.column_iter_mut().take(numbers).skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{}; median of {} runs\n{table}", report.machine, report.runs);
    for curve in &report.curves {
        let power = curve.power().map_or_else(String::new, |power| format!(", power {power:.2}"));
        text.push_str(&format!(
            "\n{} of the {}: {} {} per one of {}{power}",
            curve.name,
            curve.kind.name(),
            short(curve.slope()),
            curve.unit,
            curve.over,
        ));
    }
    text
}

pub(crate) fn json(report: &Report) -> String {
    let rows: Vec<Value> = report.lines.iter().map(Line::json).collect();
    let curves: Vec<Value> = report.curves.iter().map(crate::curves::Curve::json).collect();
    let all = json!({
        "machine": report.machine, "runs": report.runs, "rows": rows, "curves": curves,
    });
    format!("{all:#}\n")
}

/// Every figure of the gateway and of the limit is a number.
pub(crate) fn check(report: &Report) -> Outcome<()> {
    let mut faults = Vec::new();
    for line in &report.lines {
        for (kind, cell) in line.cells.iter().filter(|(kind, _)| **kind != Kind::Official) {
            match cell {
                Err(reason) => {
                    faults.push(format!("{} of the {}: {reason}", line.row.name, kind.name()))
                }
                Ok(sample) if !is_figure(sample) => {
                    faults.push(format!("{} of the {}: {sample:?}", line.row.name, kind.name()));
                }
                Ok(_) => {}
            }
        }
        if !line.cells.contains_key(&Kind::Gateway) {
            faults.push(format!("{}: nothing was measured", line.row.name));
        }
    }
    for curve in report.curves.iter().filter(|curve| !curve.slope().is_finite()) {
        faults.push(format!("{} of the {}: no slope", curve.name, curve.kind.name()));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn is_figure(sample: &Sample) -> bool {
    let is_number = |value: f64| value.is_finite() && value >= 0.0;
    is_number(sample.value) && sample.cpu_us.is_none_or(is_number)
}
