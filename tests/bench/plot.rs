//! Growth curves as SVG: both axes logarithmic, so that a straight line of slope one is linear growth.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{Outcome, contender::Kind, curves::Curve};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
/// Room for the numbers at the axes.
const MARGIN: f64 = 60.0;

/// Writes one file per figure.
pub(crate) fn write(folder: &Path, curves: &[Curve]) -> Outcome<()> {
    fs::create_dir_all(folder)?;
    let mut figures: BTreeMap<&str, Vec<&Curve>> = BTreeMap::new();
    for curve in curves {
        figures.entry(curve.name).or_default().push(curve);
    }
    for (name, curves) in figures {
        fs::write(folder.join(format!("{name}.svg")), draw(&curves))?;
    }
    Ok(())
}

/// Decades of one axis and where they lie.
struct Axis {
    first: i32,
    last: i32,
    start: f64,
    end: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64>, start: f64, end: f64) -> Self {
        let logs = values.filter(|value| *value > 0.0).map(f64::log10);
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
            (low.min(log), high.max(log))
        });
        let (first, last) =
            if low.is_finite() { (decade(low.floor()), decade(high.ceil())) } else { (0, 1) };
        Self { first, last: last.max(first + 1), start, end }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.start + part * (self.end - self.start)
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|power| 10f64.powi(power))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a decade of a measured number")]
fn decade(log: f64) -> i32 {
    log as i32
}

fn draw(curves: &[&Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| curve.points.iter());
    let across = Axis::over(points().map(|point| point.0), MARGIN, WIDTH - 20.0);
    let up = Axis::over(points().map(|point| point.1), HEIGHT - MARGIN, 40.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    grid(&mut svg, &across, &up);
    for (place, curve) in curves.iter().enumerate() {
        line(&mut svg, curve, place, (&across, &up));
    }
    if let Some(curve) = curves.first() {
        svg.push_str(&label(WIDTH / 2.0, HEIGHT - 14.0, "middle", curve.over));
        svg.push_str(&label(12.0, 20.0, "start", &format!("{}: {}", curve.name, curve.unit)));
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, across: &Axis, up: &Axis) {
    for value in across.decades() {
        let x = across.place(value);
        svg.push_str(&stroke((x, up.start), (x, up.end)));
        svg.push_str(&label(x, up.start + 16.0, "middle", &value.to_string()));
    }
    for value in up.decades() {
        let y = up.place(value);
        svg.push_str(&stroke((across.start, y), (across.end, y)));
        svg.push_str(&label(across.start - 6.0, y + 4.0, "end", &value.to_string()));
    }
}

fn line(svg: &mut String, curve: &Curve, place: usize, (across, up): (&Axis, &Axis)) {
    let color = match curve.kind {
        Kind::Gateway => "#c0392b",
        Kind::Limit => "#7f8c8d",
        Kind::Official => "#2980b9",
    };
    let places: Vec<(f64, f64)> = curve
        .points
        .iter()
        .filter(|(x, y)| *x > 0.0 && *y > 0.0)
        .map(|(x, y)| (across.place(*x), up.place(*y)))
        .collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    svg.push_str(&format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>\n",
        path.join(" ")
    ));
    for (x, y) in places {
        svg.push_str(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>\n"));
    }
    let y = 20.0 + 16.0 * f64::from(u16::try_from(place).unwrap_or(0));
    let power = curve.power().map_or_else(String::new, |power| format!(", power {power:.2}"));
    let legend = format!("{}: {:.3} each{power}", curve.kind.name(), curve.slope());
    svg.push_str(&format!(
        "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"{color}\">{legend}</text>\n",
        WIDTH - 20.0
    ));
}

fn stroke(from: (f64, f64), to: (f64, f64)) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n")
}
