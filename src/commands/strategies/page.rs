//! A page of tables and lists, for a terminal and as Markdown.

use std::fmt::Write as _;

use serde_json::Value;

use crate::report::cell;

/// No line of a terminal's page is longer.
const WIDTH: usize = 100;

/// What is told, before it is laid out; and the same for programs.
pub struct Page {
    /// Its heading.
    pub title: String,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// The same for programs.
    pub json: Value,
}

/// A part of a page.
pub enum Part {
    /// A heading inside the page.
    Heading(String),
    /// A paragraph.
    Text(String),
    /// Points of a list.
    List(Vec<String>),
    /// A head and rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// Labels with values.
    Facts(Vec<(&'static str, String)>),
}

impl Page {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n", self.title);
        for part in &self.parts {
            out.push('\n');
            match part {
                Part::Heading(heading) => out.push_str(&wrapped(heading, "", "")),
                Part::Text(text) => out.push_str(&wrapped(text, "", "")),
                Part::List(points) => {
                    for point in points {
                        out.push_str(&wrapped(point, "  - ", "    "));
                    }
                }
                Part::Table(head, rows) => columns(&mut out, head, rows),
                Part::Facts(facts) => {
                    let wide = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
                    for (label, value) in facts {
                        let first = format!("  {label:wide$}  ");
                        out.push_str(&wrapped(value, &first, &" ".repeat(wide + 4)));
                    }
                }
            }
        }
        out
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        format!("# {}\n{}", self.title, markdown(&self.parts))
    }
}

/// Parts as Markdown, each after an empty line.
pub fn markdown(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        out.push('\n');
        match part {
            Part::Heading(heading) => line(&mut out, &format!("## {heading}")),
            Part::Text(text) => line(&mut out, &cell(text)),
            Part::List(points) => {
                for point in points {
                    line(&mut out, &format!("- {}", cell(point)));
                }
            }
            Part::Table(head, rows) => {
                line(&mut out, &format!("| {} |\n|{}", head.join(" | "), "---|".repeat(head.len())));
                for row in rows {
                    let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
                    line(&mut out, &format!("| {} |", cells.join(" | ")));
                }
            }
            Part::Facts(facts) => {
                for (label, value) in facts {
                    line(&mut out, &format!("- {label}: {}", cell(value)));
                }
            }
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    // A string takes everything.
    let _ = writeln!(out, "{text}");
}

/// Cells in columns as wide as they need; the last one may go on below itself.
fn columns(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let widest = |column: usize| {
        std::iter::once(&head).chain(rows).map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(widest).collect();
    for row in std::iter::once(&head).chain(rows) {
        let Some((last, cells)) = row.split_last() else { continue };
        let mut start = String::from("  ");
        for (text, wide) in cells.iter().zip(&widths) {
            // A string takes everything.
            let _ = write!(start, "{text:wide$}  ");
        }
        let below = " ".repeat(start.chars().count());
        out.push_str(&wrapped(last, &start, &below));
    }
}

/// A text in lines that fit: the first begins with one string, the others with another.
fn wrapped(text: &str, first: &str, rest: &str) -> String {
    let mut out = String::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            rest.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
    out
}
