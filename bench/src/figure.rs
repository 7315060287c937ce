//! A figure of the report, and the one table all figures stand in.

use std::fmt::Write as _;

use serde::Serialize;

/// One line of the table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figure {
    /// What was measured, with its unit.
    pub what: String,
    /// The upstream itself.
    pub direct: Option<f64>,
    /// The null proxy.
    pub null: Option<f64>,
    /// nginx.
    pub nginx: Option<f64>,
    /// Weighbridge.
    pub ours: Option<f64>,
    /// Ours over the null proxy's, median of the rounds.
    pub to_null: Option<f64>,
    /// Ours over nginx's, median of the rounds.
    pub to_nginx: Option<f64>,
    /// What was to be reached.
    pub goal: Option<String>,
    /// Whether it was; none without a goal, or without a measurement.
    pub met: Option<bool>,
}

const HEAD: [&str; 9] =
    ["figure", "direct", "null", "nginx", "ours", "x null", "x nginx", "goal", "met"];

/// The table, with aligned columns.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 9]> = figures.iter().map(cells).collect();
    let head = HEAD.map(str::to_owned);
    let all: Vec<&[String; 9]> = std::iter::once(&head).chain(&rows).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| all.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in all {
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = match column {
                0 | 7 => write!(text, "{cell:width$}  "),
                _ => write!(text, "{cell:>width$}  "),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

fn cells(figure: &Figure) -> [String; 9] {
    let ratio = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
    [
        figure.what.clone(),
        number(figure.direct),
        number(figure.null),
        number(figure.nginx),
        number(figure.ours),
        ratio(figure.to_null),
        ratio(figure.to_nginx),
        figure.goal.clone().unwrap_or_default(),
        match (figure.met, &figure.goal) {
            (Some(true), _) => "yes".into(),
            (Some(false), _) => "NO".into(),
            (None, Some(_)) => "?".into(),
            (None, None) => String::new(),
        },
    ]
}

/// Three significant digits or so.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_gaps_are_shown() {
        let figures = [
            Figure {
                what: "CPU us".into(),
                null: Some(28.46),
                ours: Some(123.4),
                to_null: Some(4.335),
                goal: Some("<= 2.5 x null".into()),
                met: Some(false),
                ..Figure::default()
            },
            Figure {
                what: "idle memory MB".into(),
                goal: Some("< 40".into()),
                ..Figure::default()
            },
        ];
        let expected = "\
figure          direct  null  nginx  ours  x null  x nginx  goal           met
CPU us               -  28.5      -   123    4.33        -  <= 2.5 x null   NO
idle memory MB       -     -      -     -       -        -  < 40             ?
";
        assert_eq!(table(&figures), expected);
    }
}
