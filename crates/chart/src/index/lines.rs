//! The lines of an index in the layout that Helm writes.

use std::io::{self, BufRead};

/// What a line is.
pub(super) enum Line<'a> {
    /// Of a field beside the charts.
    Head(&'a str),
    /// Begins a chart: its name as it is written.
    Chart(&'a str),
    /// Begins a version.
    Item(&'a str),
    /// Goes on with a version.
    More(&'a str),
    /// Not in Helm's layout.
    Odd,
}

/// Tells the lines apart. Only the first document is looked at.
pub(super) struct Lines<'a, R> {
    input: &'a mut R,
    line: String,
    place: Place,
    started: bool,
}

#[derive(Clone, Copy)]
enum Place {
    /// Beside the charts.
    Head,
    /// Below `entries`, before the first chart.
    Entries,
    /// In a chart whose name is so far to the right, with its versions so far if there is one yet.
    Chart { names: usize, items: Option<usize> },
}

impl<'a, R: BufRead> Lines<'a, R> {
    pub(super) fn new(input: &'a mut R) -> Self {
        Self { input, line: String::new(), place: Place::Head, started: false }
    }

    /// The next line that says something; `None` at the end of the first document.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let kind = loop {
            match self.read()? {
                None => return Ok(None),
                Some(Kind::Silent) => {}
                Some(kind) => break kind,
            }
        };
        let text = bare(&self.line);
        Ok(Some(match kind {
            Kind::Head => Line::Head(text),
            Kind::Chart => Line::Chart(text.trim().strip_suffix(':').unwrap_or_default()),
            Kind::Item => Line::Item(text),
            Kind::More => Line::More(text),
            Kind::Odd | Kind::Silent => Line::Odd,
        }))
    }

    fn read(&mut self) -> io::Result<Option<Kind>> {
        self.line.clear();
        if self.input.read_line(&mut self.line)? == 0 {
            return Ok(None);
        }
        let text = bare(&self.line);
        let indent = text.len() - text.trim_start_matches(' ').len();
        let content = text.trim();
        let silent = content.is_empty() || content.starts_with('#');
        if text.starts_with("...") || (text.starts_with("---") && self.started) {
            return Ok(None);
        }
        if text.starts_with("---") {
            self.started = true;
            return Ok(Some(if content.len() > 3 { Kind::Odd } else { Kind::Silent }));
        }
        self.started |= !silent;
        let (place, kind) = step(self.place, indent, content, silent);
        self.place = place;
        Ok(Some(kind))
    }
}

/// A line without the mark that a text may begin with.
fn bare(line: &str) -> &str {
    line.trim_start_matches('\u{feff}')
}

enum Kind {
    Head,
    Chart,
    Item,
    More,
    /// Says nothing.
    Silent,
    Odd,
}

fn step(place: Place, indent: usize, content: &str, silent: bool) -> (Place, Kind) {
    let is_item = content == "-" || content.starts_with("- ");
    match place {
        // Within a version, an empty line may be part of a text.
        Place::Chart { items: Some(_), .. } if silent => (place, Kind::More),
        _ if silent => (place, Kind::Silent),
        Place::Chart { names, items } if indent >= names => match items {
            None if is_item => (Place::Chart { names, items: Some(indent) }, Kind::Item),
            Some(items) if is_item && indent == items => (place, Kind::Item),
            Some(items) if indent > items => (place, Kind::More),
            None | Some(_) if indent == names && !is_item => named(names, content),
            None | Some(_) => (place, Kind::Odd),
        },
        Place::Entries if indent > 0 && !is_item => named(indent, content),
        _ if indent > 0 && matches!(place, Place::Head) => (place, Kind::Head),
        _ if indent > 0 || (is_item && !matches!(place, Place::Head)) => (place, Kind::Odd),
        _ if content == "entries:" => (Place::Entries, Kind::Silent),
        _ => (Place::Head, Kind::Head),
    }
}

/// The line of a chart's name, which has nothing behind it.
fn named(names: usize, content: &str) -> (Place, Kind) {
    let place = Place::Chart { names, items: None };
    let plain = content.ends_with(':') && !content.starts_with(['&', '*', '?', '{', '[', '!']);
    (place, if plain { Kind::Chart } else { Kind::Odd })
}
