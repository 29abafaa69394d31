//! YAML text to [`Node`]s: the 1.2 core schema, with the traps of older YAML
//! reported instead of guessed at.
//!
//! The parser crate yields events; what they mean, what they may cost and how
//! mistakes read is decided here. Nothing recurses over the input, and aliases
//! are weighed before they are copied, so hostile text costs no more than an
//! honest one of the same size.

use std::collections::{HashMap, HashSet};

use crate::grammar::shown;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, StructureStyle, Tag};

use super::{Entry, Fault, FileId, Node, Span, Value};

/// The most text one file may hold; spans could address far more, memory would not.
const MAX_TEXT: usize = 1024 * 1024;
/// The most nodes, with long texts counted as several, once aliases are expanded.
const MAX_WEIGHT: usize = 10_000;
/// Bytes of text that weigh as much as one node.
const BYTES_PER_WEIGHT: usize = 64;
/// How deep collections may nest; bounds every recursion over a finished tree.
const MAX_DEPTH: usize = 64;
/// Nobody reads more than this at once, and each of them owns strings.
const MAX_FAULTS: usize = 100;
/// What YAML takes for white space; other blanks are text.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];
/// Reads one YAML document into a tree, or says everything that is wrong with it.
///
/// # Errors
/// One fault or more, ordered by where they stand. A syntax error ends the
/// reading, other faults do not.
pub fn compose(text: &str, file: FileId) -> Result<Node, Vec<Fault>> {
    match compose_as_far(text, file) {
        (Some(node), faults) if faults.is_empty() => Ok(node),
        (_, faults) => Err(faults),
    }
}

/// The same, with the tree beside faults that leave no doubt what was meant: a number with a leading zero counts as
/// decimal, of two equal keys the first. Whoever looks for further faults can then go on.
pub fn compose_as_far(text: &str, file: FileId) -> (Option<Node>, Vec<Fault>) {
    let mut composer = Composer {
        text,
        file,
        faults: Vec::new(),
        stack: Vec::new(),
        anchors: HashMap::new(),
        weight: 0,
        aliased: false,
        cursor: 0,
        multiline: false,
        documents: 0,
        root: None,
    };
    // A stop has left its fault behind; so has a missing root.
    let stopped = composer.run().is_err();
    let Composer { mut faults, root, .. } = composer;
    faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
    let clear = |fault: &Fault| matches!(fault.rule, "yaml-leading-zero" | "yaml-duplicate-key");
    let whole = !stopped && faults.iter().all(clear);
    (root.filter(|_| whole), faults)
}

/// Composing goes on, or a fault was noted after which it cannot.
type Flow = Result<(), Stop>;

/// A fault was noted after which nothing sensible can be read.
struct Stop;

struct Composer<'t> {
    text: &'t str,
    file: FileId,
    faults: Vec<Fault>,
    /// The collections that are open, outermost first.
    stack: Vec<Frame>,
    anchors: HashMap<usize, Saved>,
    /// Everything built so far, copies included.
    weight: usize,
    /// Whether `weight` holds copies, for the message.
    aliased: bool,
    /// Where the last piece of content ended.
    cursor: usize,
    /// Whether the last scalar was a plain one over several lines: what a
    /// wrong indentation looks like to a parser.
    multiline: bool,
    documents: usize,
    root: Option<Node>,
}

/// A collection whose end has not been read.
struct Frame {
    items: Items,
    start: usize,
    /// The bracket, for collections that have one.
    bracket: Option<char>,
    anchor: usize,
    weight: usize,
    height: usize,
}

enum Items {
    Seq(Vec<Node>),
    Map(MapItems),
}

#[derive(Default)]
struct MapItems {
    entries: Vec<Entry>,
    /// The keys so far, with the place of each.
    seen: HashMap<String, Span>,
    /// Where `<<` stands; a quoted one is a key like any other.
    merge_seen: Option<Span>,
    /// What `<<` brought, and before which entry it stood.
    merges: Vec<(usize, Vec<Entry>)>,
    /// The key whose value comes next.
    pending: Option<Key>,
}

enum Key {
    Text(String, Span),
    Merge,
    /// Already reported; its value is read and dropped.
    Faulty,
}

/// An anchored value, for the aliases to copy.
struct Saved {
    /// Nothing if it was faulty: the aliases are then no further fault.
    node: Option<Node>,
    weight: usize,
    height: usize,
}

/// A finished value on its way into the collection around it.
struct Child {
    /// Nothing if it was faulty and reported.
    node: Option<Node>,
    /// Where it stands, which for an alias is not where its value was written.
    place: Span,
    weight: usize,
    /// How many collections deep it is: 0 for a scalar.
    height: usize,
    /// An unquoted `<<`.
    merge: bool,
}

impl<'t> Composer<'t> {
    fn run(&mut self) -> Flow {
        self.check_text()?;
        // One more level than composing allows keeps most refusals on this
        // side, where the place is exact; the parser's own limit is for what
        // it reads ahead.
        let options = granit_parser::options! {
            emit_comments: false,
            emit_unresolved_aliases: true,
            flow_nesting_limit: MAX_DEPTH + 1,
            block_nesting_limit: MAX_DEPTH + 1,
        };
        for next in Parser::new_from_str_with_options(self.text, options) {
            match next {
                Ok((event, span)) => self.event(event, span)?,
                Err(error) => return self.syntax(&error),
            }
        }
        if self.root.is_none() && self.faults.is_empty() {
            self.empty();
        }
        Ok(())
    }

    /// What needs no parser: size and characters.
    fn check_text(&mut self) -> Flow {
        if self.text.len() > MAX_TEXT {
            let message = format!("the text is longer than {} MiB", MAX_TEXT / 1024 / 1024);
            return self.stop("yaml-too-large", message, self.span(0, 0), None);
        }
        let bad = self.text.char_indices().find(|&(_, c)| {
            (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) || matches!(c, '\u{fffe}' | '\u{ffff}')
        });
        let Some((at, c)) = bad else { return Ok(()) };
        let message = if c == '\0' {
            format!("the text holds a `{}` byte", shown("\0"))
        } else {
            format!("the text holds the control character `{}`", shown(&c.to_string()))
        };
        let help = "remove it, or write it as an escape in double quotes".to_owned();
        self.stop("yaml-syntax", message, self.character(at), Some(help))
    }

    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) -> Flow {
        let (start, end) = self.bytes(&span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return self.second_document(start, end);
                }
                // Without a `---` the event already spans the first token.
                self.cursor = if self.text[start..end].starts_with("---") { end } else { start };
                Ok(())
            }
            Event::Scalar(value, style, anchor, tag) => {
                let tag = tag.map(|tag| self.tag(&tag, &span));
                self.scalar(&value, style, anchor, tag.as_ref(), (start, end))
            }
            Event::SequenceStart(style, anchor, tag) => {
                let tag = tag.map(|tag| self.tag(&tag, &span));
                let start = if style == StructureStyle::Block && self.in_map() {
                    // An unindented list under a key is placed at its first
                    // item, not at its first dash.
                    self.seek(|c| c == '-', ":?").unwrap_or(start)
                } else {
                    start
                };
                self.open(Items::Seq(Vec::new()), anchor, tag.as_ref(), (start, end))
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = tag.map(|tag| self.tag(&tag, &span));
                let items = Items::Map(MapItems::default());
                self.open(items, anchor, tag.as_ref(), (start, end))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(start, end),
            Event::Alias(id) => self.alias(id, start, end),
            Event::UnresolvedAlias(name) => self.unknown_alias(&name, start, end),
            // Streams and documents that end say nothing; neither do comments,
            // should another crate's features turn them on.
            _ => Ok(()),
        }
    }

    // Values.

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&TagText>,
        (start, end): (usize, usize),
    ) -> Flow {
        let plain = style == ScalarStyle::Plain;
        // The parser writes a missing value as `~`.
        let missing = plain && start == end;
        let value = if missing { "" } else { value };
        let (start, end) = match style {
            _ if missing => self.missing(start, anchor != 0 || tag.is_some()),
            ScalarStyle::Literal => self.block_scalar('|', start, end),
            ScalarStyle::Folded => self.block_scalar('>', start, end),
            _ => (start, end),
        };
        let place = self.span(start, end);
        self.cursor = self.cursor.max(end);
        self.multiline = plain && self.slice(place).contains('\n');
        if missing && anchor == 0 && tag.is_none() && self.stack.is_empty() {
            self.empty();
            return Ok(());
        }
        let resolved = match tag {
            None if plain => resolve(value),
            None => Plain::Text,
            Some(tag) => match self.tagged(value, tag, place)? {
                Some(resolved) => resolved,
                None => return self.add(Child::faulty(place), anchor),
            },
        };
        if self.at_key() && !matches!(resolved, Plain::Text) {
            let value = value.to_owned();
            self.key_not_text(&resolved, &value, place)?;
            return self.add(Child::faulty(place), anchor);
        }
        let merge = plain && tag.is_none() && value == "<<";
        let node = self.value(&resolved, value, place)?.map(|value| Node { value, span: place });
        let weight = 1 + value.len() / BYTES_PER_WEIGHT;
        self.charge(weight, place)?;
        let child = Child { node, place, weight, height: 0, merge };
        self.add(child, anchor)
    }

    /// What a scalar is under an explicit tag, or nothing after a fault.
    fn tagged(&mut self, value: &str, tag: &TagText, place: Span) -> Result<Option<Plain>, Stop> {
        let (fits, what) = match tag.core.as_deref() {
            Some("str") => return Ok(Some(Plain::Text)),
            Some("int") => match resolve(value) {
                found @ (Plain::Int(_) | Plain::TooBig | Plain::LeadingZero) => (Some(found), ""),
                _ => (None, "a whole number"),
            },
            Some("float") => match resolve(value) {
                #[allow(clippy::cast_precision_loss)] // what `!!float` asks for
                Plain::Int(int) => (Some(Plain::Float(int as f64)), ""),
                found @ (Plain::Float(_) | Plain::TooBig | Plain::NotFinite | Plain::LeadingZero) => (Some(found), ""),
                _ => (None, "a number"),
            },
            Some("bool") => match resolve(value) {
                found @ Plain::Bool(_) => (Some(found), ""),
                _ => (None, "`true` or `false`"),
            },
            Some("null") => match resolve(value) {
                Plain::Null => (Some(Plain::Null), ""),
                _ => (None, "`null`"),
            },
            Some("map") => (None, "a map"),
            Some("seq") => (None, "a list"),
            _ => {
                self.unknown_tag(tag)?;
                return Ok(None);
            }
        };
        if fits.is_none() {
            self.misfit(tag, &format!("`{}` is not {what}", shown(value)), place)?;
        }
        Ok(fits)
    }

    /// The value a resolved scalar has, or nothing after a fault.
    fn value(&mut self, resolved: &Plain, text: &str, place: Span) -> Result<Option<Value>, Stop> {
        Ok(Some(match *resolved {
            Plain::Null => Value::Null,
            Plain::Bool(value) => Value::Bool(value),
            Plain::Int(value) => Value::Int(value),
            Plain::Float(value) => Value::Float(value),
            Plain::Text => Value::Str(text.to_owned()),
            Plain::LeadingZero => {
                let digits = text.trim_start_matches(['-', '+']);
                let sign = if text.starts_with('-') { "-" } else { "" };
                let short = match digits.trim_start_matches('0') {
                    "" => "0",
                    short => short,
                };
                let octal = digits.bytes().all(|digit| digit < b'8');
                let older = if octal { "octal" } else { "text" };
                let number = shown(&format!("{sign}{short}"));
                let help = if octal && sign.is_empty() && short != "0" {
                    format!("write `{number}`, `{}` or quote it", shown(&format!("0o{short}")))
                } else {
                    format!("write `{number}` or quote it")
                };
                self.note(
                    "yaml-leading-zero",
                    format!("`{}` reads as {older} in YAML 1.1 and as decimal in YAML 1.2", shown(text)),
                    place,
                    Some(help),
                )?;
                return Ok(text.parse().ok().map(Value::Int));
            }
            Plain::TooBig => {
                self.note(
                    "yaml-number",
                    format!("`{}` is too large a number", shown(text)),
                    place,
                    Some("quote it if it is text".to_owned()),
                )?;
                return Ok(None);
            }
            Plain::NotFinite => {
                self.note(
                    "yaml-number",
                    format!("`{}` is not a finite number", shown(text)),
                    place,
                    Some("write a number, or quote it if it is text".to_owned()),
                )?;
                return Ok(None);
            }
        }))
    }

    fn open(&mut self, items: Items, anchor: usize, tag: Option<&TagText>, (start, end): (usize, usize)) -> Flow {
        let bracket = self.text[start..end].chars().next().filter(|c| matches!(c, '[' | '{'));
        let place = self.character(start);
        self.multiline = false;
        if self.stack.len() >= MAX_DEPTH {
            return self.too_deep(place);
        }
        if let Some(tag) = tag {
            match (&items, tag.core.as_deref()) {
                (Items::Map(_), Some("map")) | (Items::Seq(_), Some("seq")) => {}
                (_, None) => self.unknown_tag(tag)?,
                (Items::Map(_), _) => self.misfit(tag, "this is a map", place)?,
                (Items::Seq(_), _) => self.misfit(tag, "this is a list", place)?,
            }
        }
        // The parser lets a tab indent the outermost map; the next line,
        // indented by spaces, would then be a riddle.
        if bracket.is_none()
            && let Some(tab) = self.leading_tab(start)
        {
            return self.tab(tab);
        }
        self.charge(1, place)?;
        self.cursor = self.cursor.max(end).max(start);
        self.stack.push(Frame { items, start, bracket, anchor, weight: 1, height: 1 });
        Ok(())
    }

    fn close(&mut self, start: usize, end: usize) -> Flow {
        let Some(frame) = self.stack.pop() else {
            return Ok(());
        };
        // Only brackets have an end of their own; the rest ends with its last
        // item, not with the blank lines and comments after it.
        if start < end && frame.bracket.is_some() {
            self.cursor = self.cursor.max(end);
        }
        self.multiline = false;
        let place = self.span(frame.start, self.cursor);
        let value = match frame.items {
            Items::Seq(items) => Value::Seq(items),
            Items::Map(map) => Value::Map(map.finish()),
        };
        let child = Child {
            node: Some(Node { value, span: place }),
            place,
            weight: frame.weight,
            height: frame.height,
            merge: false,
        };
        self.add(child, frame.anchor)
    }

    fn alias(&mut self, id: usize, start: usize, end: usize) -> Flow {
        let place = self.span(start, end);
        self.cursor = self.cursor.max(end);
        self.multiline = false;
        let Some(saved) = self.anchors.get(&id) else {
            let message = format!("`{}` stands inside the value it names", shown(self.slice(place)));
            self.note("yaml-alias", message, place, None)?;
            return self.add(Child::faulty(place), 0);
        };
        let (weight, height) = (saved.weight, saved.height);
        self.aliased = true;
        if self.stack.len() + height > MAX_DEPTH {
            return self.too_deep(place);
        }
        // Paid before it is copied: this is what a bomb runs into.
        self.charge(weight, place)?;
        let node = self.anchors.get(&id).and_then(|saved| saved.node.clone());
        let child = Child { node, place, weight, height, merge: false };
        self.add(child, 0)
    }

    fn unknown_alias(&mut self, name: &str, start: usize, end: usize) -> Flow {
        let place = self.span(start, end);
        self.cursor = self.cursor.max(end);
        self.multiline = false;
        let message = format!("`{}` names nothing written above it", shown(&format!("*{name}")));
        let help =
            format!("quote it if it is text, or write `{}` before the value it repeats", shown(&format!("&{name}")));
        self.note("yaml-alias", message, place, Some(help))?;
        self.add(Child::faulty(place), 0)
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, child: Child, anchor: usize) -> Flow {
        if anchor != 0 {
            // The copy that is kept counts too: anchors inside anchors would
            // otherwise keep the same text once per level.
            self.charge(child.weight, child.place)?;
            self.anchors.insert(anchor, Saved { node: child.node.clone(), weight: child.weight, height: child.height });
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = child.node;
            return Ok(());
        };
        frame.weight += child.weight;
        frame.height = frame.height.max(1 + child.height);
        match &mut frame.items {
            Items::Seq(items) => {
                items.extend(child.node);
                Ok(())
            }
            Items::Map(map) => match map.pending.take() {
                None => self.key(child),
                Some(Key::Text(key, key_span)) => {
                    if let Some(value) = child.node {
                        map.entries.push(Entry { key, key_span, value });
                    }
                    Ok(())
                }
                Some(Key::Merge) => self.merge(child),
                Some(Key::Faulty) => Ok(()),
            },
        }
    }

    /// Takes the key of the innermost map.
    fn key(&mut self, child: Child) -> Flow {
        let place = child.place;
        let text = match child.node {
            None => None,
            Some(Node { value: Value::Str(text), .. }) => Some(text),
            Some(node) => {
                let what = kind(&node.value);
                self.note("yaml-key", format!("keys must be text, this one is {what}"), place, None)?;
                None
            }
        };
        let Some(Frame { items: Items::Map(map), .. }) = self.stack.last_mut() else {
            return Ok(());
        };
        let Some(text) = text else {
            map.pending = Some(Key::Faulty);
            return Ok(());
        };
        let first = if child.merge { map.merge_seen.replace(place) } else { map.seen.get(&text).copied() };
        let Some(first) = first else {
            map.pending = Some(if child.merge {
                Key::Merge
            } else {
                map.seen.insert(text.clone(), place);
                Key::Text(text, place)
            });
            return Ok(());
        };
        map.pending = Some(Key::Faulty);
        let help = child.merge.then(|| "write one `<<` with a list: `<<: [*a, *b]`".to_owned());
        self.note_with(Fault {
            rule: "yaml-duplicate-key",
            message: format!("the key `{}` is written twice", shown(&text)),
            span: place,
            help,
            also: Some((first, "first written here".to_owned())),
        })
    }

    /// Takes the value of `<<` in the innermost map.
    fn merge(&mut self, child: Child) -> Flow {
        let mut entries = Vec::new();
        let bad = match child.node.map(|node| node.value) {
            None => None,
            Some(Value::Map(own)) => {
                entries = own;
                None
            }
            Some(Value::Seq(items)) => {
                let mut bad = None;
                for item in items {
                    match item.value {
                        Value::Map(own) => entries.extend(own),
                        other => bad = Some(kind(&other)),
                    }
                }
                bad.map(|what| format!("`<<` merges maps, this list holds {what}"))
            }
            Some(other) => Some(format!("`<<` merges a map, this is {}", kind(&other))),
        };
        if let Some(message) = bad {
            let help = "write `<<: *name` where `&name` stands before a map".to_owned();
            return self.note("yaml-merge-key", message, child.place, Some(help));
        }
        if let Some(Frame { items: Items::Map(map), .. }) = self.stack.last_mut() {
            map.merges.push((map.entries.len(), entries));
        }
        Ok(())
    }

    fn in_map(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { items: Items::Map(_), .. }))
    }

    /// Whether the next value is the key of a map.
    fn at_key(&self) -> bool {
        match self.stack.last() {
            Some(Frame { items: Items::Map(map), .. }) => map.pending.is_none(),
            _ => false,
        }
    }

    // Places.

    /// Where an event stands, within the text and between characters.
    fn bytes(&self, span: &granit_parser::Span) -> (usize, usize) {
        let range = span.byte_range().unwrap_or(self.cursor..self.cursor);
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end);
        (start, end.max(start))
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let end = self.text.floor_char_boundary(end);
        let start = self.text.floor_char_boundary(start).min(end);
        // Texts end at `MAX_TEXT`, so the fallback is never taken.
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { file: self.file, start: narrow(start), end: narrow(end) }
    }

    fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The character at a place, or the place alone where a line or the text ends.
    fn character(&self, at: usize) -> Span {
        let at = self.text.floor_char_boundary(at);
        match self.text[at..].chars().next() {
            Some(c) if c != '\n' && c != '\r' => self.span(at, at + c.len_utf8()),
            _ => self.span(at, at),
        }
    }

    /// From a place to the end of what its line says.
    fn line_from(&self, at: usize) -> Span {
        let at = self.text.floor_char_boundary(at);
        let line = self.text[at..].lines().next().unwrap_or_default();
        self.span(at, at + line.trim_end().len())
    }

    /// The empty place of a value that was left out.
    fn missing(&self, at: usize, decorated: bool) -> (usize, usize) {
        if !decorated
            && self.in_map()
            && !self.at_key()
            && let Some(colon) = self.seek(|c| c == ':', "")
        {
            return (colon + 1, colon + 1);
        }
        // Right after the dash, tag or anchor rather than on a line of its own.
        let at = self.text[..at].trim_end_matches(BLANK).len().max(self.cursor).min(at);
        (at, at)
    }

    /// A block scalar from its `|` to the last letter: the parser tells where
    /// the first line of text starts, and counts the blank lines after it.
    fn block_scalar(&self, header: char, start: usize, end: usize) -> (usize, usize) {
        let from = self.seek(|c| c == header, ":?-").unwrap_or(start).min(start);
        let end = from + self.text[from..end].trim_end_matches(BLANK).len();
        (from, end)
    }

    /// Looks from the end of the last content over blanks, comments, anchors,
    /// tags and the indicators in `over` for the next character `wanted`.
    fn seek(&self, wanted: impl Fn(char) -> bool, over: &str) -> Option<usize> {
        let mut at = self.cursor;
        loop {
            let rest = self.text.get(at..)?;
            let c = rest.chars().next()?;
            if wanted(c) {
                return Some(at);
            }
            at += match c {
                ' ' | '\t' | '\n' | '\r' => 1,
                '#' => rest.find(['\n', '\r'])?,
                '&' | '!' => rest.find(char::is_whitespace)?,
                _ if over.contains(c) => c.len_utf8(),
                _ => return None,
            };
        }
    }

    /// The tab in the indentation of the line a place stands in, if nothing
    /// else stands before it.
    fn leading_tab(&self, at: usize) -> Option<usize> {
        let before = &self.text[..at];
        let blank = before.trim_end_matches([' ', '\t']).len();
        let at_line_start = blank == 0 || before[..blank].ends_with(['\n', '\r', '\u{feff}']);
        let tab = before[blank..].find('\t')?;
        at_line_start.then_some(blank + tab)
    }

    // Faults.

    fn note_with(&mut self, fault: Fault) -> Flow {
        self.faults.push(fault);
        if self.faults.len() >= MAX_FAULTS {
            return Err(Stop);
        }
        Ok(())
    }

    fn note(&mut self, rule: &'static str, message: String, span: Span, help: Option<String>) -> Flow {
        self.note_with(Fault { rule, message, span, help, also: None })
    }

    fn stop(&mut self, rule: &'static str, message: String, span: Span, help: Option<String>) -> Flow {
        self.note(rule, message, span, help)?;
        Err(Stop)
    }

    fn charge(&mut self, weight: usize, place: Span) -> Flow {
        self.weight = self.weight.saturating_add(weight);
        if self.weight <= MAX_WEIGHT {
            return Ok(());
        }
        let message = if self.aliased {
            format!("aliases expand to more than {MAX_WEIGHT} values")
        } else {
            format!("the text holds more than {MAX_WEIGHT} values")
        };
        self.stop("yaml-too-large", message, place, None)
    }

    fn too_deep(&mut self, place: Span) -> Flow {
        let message = format!("this is nested more than {MAX_DEPTH} levels deep");
        self.stop("yaml-too-deep", message, place, None)
    }

    fn empty(&mut self) {
        let bare = self.text.trim_start_matches('\u{feff}').trim().is_empty();
        self.faults.push(Fault {
            rule: "yaml-empty",
            message: if bare {
                "the text is empty".to_owned()
            } else {
                "the text holds no value, only comments or markers".to_owned()
            },
            span: self.span(0, 0),
            help: None,
            also: None,
        });
    }

    fn second_document(&mut self, start: usize, end: usize) -> Flow {
        let place = if start < end { self.span(start, end) } else { self.line_from(start) };
        let message = "a second document starts here".to_owned();
        let help = "put it in a file of its own".to_owned();
        self.stop("yaml-second-document", message, place, Some(help))
    }

    fn key_not_text(&mut self, resolved: &Plain, text: &str, place: Span) -> Flow {
        let quoted = shown(text);
        let (message, help) = match resolved {
            Plain::Null if text.is_empty() => ("a key is missing here".to_owned(), None),
            _ => {
                let what = match resolved {
                    Plain::Null => "null",
                    Plain::Bool(_) => "a boolean",
                    _ => "a number",
                };
                (format!("keys must be text, `{quoted}` is {what}"), Some(format!("quote it: `\"{quoted}\":`")))
            }
        };
        self.note("yaml-key", message, place, help)
    }

    fn tag(&self, tag: &Tag, span: &granit_parser::Span) -> TagText {
        let place = match span.tag_span() {
            Some(span) => {
                let (start, end) = self.bytes(&span);
                self.span(start, end)
            }
            None => self.span(self.cursor, self.cursor),
        };
        let written = self.slice(place);
        TagText {
            core: tag.core_suffix().map(str::to_owned),
            shown: if written.is_empty() { shown(&tag.original()) } else { shown(written) },
            place,
        }
    }

    fn unknown_tag(&mut self, tag: &TagText) -> Flow {
        let message = format!("the tag `{}` means nothing here", tag.shown);
        self.note("yaml-tag", message, tag.place, Some(tag_help()))
    }

    fn misfit(&mut self, tag: &TagText, what: &str, place: Span) -> Flow {
        let message = format!("the tag `{}` does not fit, {what}", tag.shown);
        self.note_with(Fault {
            rule: "yaml-tag",
            message,
            span: tag.place,
            help: Some("remove the tag or change the value".to_owned()),
            also: Some((place, "this value".to_owned())),
        })
    }

    fn tab(&mut self, at: usize) -> Flow {
        self.stop(
            "yaml-syntax",
            "a tab stands in the indentation".to_owned(),
            self.character(at),
            Some("indent with spaces".to_owned()),
        )
    }

    /// Puts a parser's error into words and ends the reading.
    fn syntax(&mut self, error: &ScanError) -> Flow {
        let mark = error.marker().byte_offset().unwrap_or(self.text.len());
        let mark = self.text.floor_char_boundary(mark);
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => return self.too_deep(self.character(mark)),
            ErrorKind::UndeclaredTagHandle => {
                let token = self.text[mark..].split([' ', '\t', '\n', '\r', ',']).next();
                let place = self.span(mark, mark + token.unwrap_or_default().len());
                let message = format!("the tag `{}` means nothing here", shown(self.slice(place)));
                return self.stop("yaml-tag", message, place, Some(tag_help()));
            }
            ErrorKind::InvalidQuotedScalarIndent
            | ErrorKind::UnclosedQuotedScalar
            | ErrorKind::DocumentIndicatorInQuotedScalar => {
                // The parser points at where it gave up; the quote to close is
                // the first after what it could read.
                let quote = self.seek(|c| matches!(c, '"' | '\''), ":?-,[{").filter(|&quote| quote <= mark);
                let message = "this quote is not closed, or its text goes on unindented".to_owned();
                let help = "close it on its line".to_owned();
                let place = self.line_from(quote.unwrap_or(mark));
                return self.stop("yaml-syntax", message, place, Some(help));
            }
            _ => {}
        }
        if let Some(tab) = self.error_tab(error.kind(), mark) {
            return self.tab(tab);
        }
        if let Some(fault) = self.unclosed(error.kind(), mark) {
            self.note_with(fault)?;
            return Err(Stop);
        }
        let (message, help) = self.phrase(error.kind());
        let help = help.map(str::to_owned);
        self.stop("yaml-syntax", message, self.character(mark), help)
    }

    /// The tab that an error is about, or that is the likely reason for it.
    fn error_tab(&self, kind: &ErrorKind, mark: usize) -> Option<usize> {
        let line = self.text[..mark].rfind('\n').map_or(0, |at| at + 1);
        let indented = |from: usize| {
            let rest = &self.text[from..];
            let text = from + rest.len() - rest.trim_start_matches([' ', '\t']).len();
            self.leading_tab(text)
        };
        match kind {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => {
                // A plain text is blamed from its start for a tab lines below.
                let mut from = line;
                loop {
                    if let Some(tab) = indented(from) {
                        return Some(tab);
                    }
                    match self.text[from..].find('\n') {
                        Some(at) => from += at + 1,
                        None => return Some(mark),
                    }
                }
            }
            _ => indented(line),
        }
    }

    /// An error some lines into a bracket is most often the bracket's.
    fn unclosed(&self, kind: &ErrorKind, mark: usize) -> Option<Fault> {
        if let ErrorKind::UnclosedFlowCollection { open } = kind {
            return Some(Fault {
                rule: "yaml-syntax",
                message: format!("`{open}` is not closed"),
                span: self.character(mark),
                help: None,
                also: None,
            });
        }
        if let ErrorKind::MismatchedFlowCollectionEnd { open, close } = kind {
            return Some(Fault {
                rule: "yaml-syntax",
                message: format!("`{open}` is closed by `{close}`"),
                span: self.character(mark),
                help: None,
                also: None,
            });
        }
        let frame = self.stack.last()?;
        let open = frame.bracket?;
        if !self.text.get(frame.start..mark)?.contains('\n') {
            return None;
        }
        Some(Fault {
            rule: "yaml-syntax",
            message: format!("this cannot stand here, `{open}` is still open"),
            span: self.character(mark),
            help: Some(format!("close the `{open}`, or put a comma between its items")),
            also: Some((self.character(frame.start), "opened here".to_owned())),
        })
    }

    // A table is read more easily in one piece.
    #[allow(clippy::too_many_lines)]
    fn phrase(&self, kind: &ErrorKind) -> (String, Option<&'static str>) {
        let (message, help) = match kind {
            ErrorKind::MappingValueNotAllowed if self.multiline => (
                "this line continues the text of the line before it, so `:` cannot stand here",
                Some("check the indentation, and that the line before it has its `:`"),
            ),
            ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
                ("a second `:` cannot stand here", Some("quote the text that holds it, or start a new line"))
            }
            ErrorKind::UnexpectedCharacter { character } => {
                let what = match character {
                    '`' => "a backtick".to_owned(),
                    other => format!("`{}`", shown(other.encode_utf8(&mut [0; 4]))),
                };
                return (format!("{what} cannot start a value"), Some("quote the value"));
            }
            ErrorKind::SimpleKeyExpected => (
                "this line has no `: ` after its key",
                Some("write `key: value`, with a space behind the `:`; or indent it if it belongs to the line before"),
            ),
            ErrorKind::InvalidSimpleKey => {
                ("this key is too long or spans several lines", Some("keep a key and its `:` on one line"))
            }
            ErrorKind::ExpectedBlockMappingKey => {
                ("this does not line up with the keys above it", Some("check the indentation"))
            }
            ErrorKind::ExpectedBlockSequenceEntry => (
                "this does not line up with the list items above it",
                Some("start it with `- `, or check the indentation"),
            ),
            ErrorKind::InvalidIndentation
            | ErrorKind::InvalidFlowScalarIndent
            | ErrorKind::InvalidBlockScalarIndent => ("the indentation is wrong here", Some("check the indentation")),
            ErrorKind::BlockSequenceEntryNotAllowed | ErrorKind::BlockEntryInFlowCollection => {
                ("a list item cannot start here", Some("put `- ` on a line of its own, or quote it if it is text"))
            }
            ErrorKind::InvalidBlockEntryWhitespace => ("only spaces may follow `-`", Some("put one space after it")),
            ErrorKind::MappingKeyNotAllowed => ("a key cannot start here", Some("put it on a line of its own")),
            ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
                ("something follows the closing quote", Some("put all of it inside the quotes"))
            }
            ErrorKind::UnknownQuotedScalarEscape
            | ErrorKind::InvalidQuotedScalarHexEscape
            | ErrorKind::InvalidLowSurrogateHexEscape
            | ErrorKind::InvalidLowSurrogate
            | ErrorKind::MissingLowSurrogate
            | ErrorKind::UnpairedLowSurrogate
            | ErrorKind::InvalidUnicodeEscape => (
                "this text holds an escape that YAML does not know",
                Some("write `\\\\` for a backslash, or use single quotes"),
            ),
            ErrorKind::MissingAnchorOrAliasName => {
                ("a name is missing after `*` or `&`", Some("quote it if it is text"))
            }
            ErrorKind::MisplacedFlowCollectionEnd => {
                ("this bracket closes nothing", Some("remove it, or quote it if it is text"))
            }
            ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
                ("a comma or a closing bracket is missing before this", None)
            }
            ErrorKind::CommentNotSeparated | ErrorKind::CommentInterceptedScalar => {
                ("a comment cannot stand here", Some("put a space before the `#`, or quote the text that holds it"))
            }
            ErrorKind::BomInsideDocument => ("a byte order mark stands inside the text", Some("remove it")),
            ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => {
                ("only `-`, `+` and a digit from 1 to 9 may follow `|` or `>`", Some("start the text on the next line"))
            }
            ErrorKind::InvalidDocumentEnd => ("nothing may follow `...`", None),
            ErrorKind::UnsupportedYamlMajorVersion => ("only YAML 1.x is read", None),
            ErrorKind::UnexpectedEof
            | ErrorKind::UnexpectedEofFlowSequence
            | ErrorKind::UnexpectedEofFlowMapping
            | ErrorKind::UnexpectedEofImplicitFlowMapping
            | ErrorKind::UnexpectedEofBlockSequence
            | ErrorKind::UnexpectedEofBlockMapping => ("the text ends too early", None),
            ErrorKind::InvalidTagTerminator
            | ErrorKind::InvalidTagEscape
            | ErrorKind::UnclosedVerbatimTag
            | ErrorKind::MissingTagUri
            | ErrorKind::InvalidGlobalTagCharacter => {
                ("this tag cannot be read", Some("quote the value if `!` is part of its text"))
            }
            ErrorKind::ExpectedDocumentStart => {
                ("something follows the end of the value", Some("check the indentation and the quotes"))
            }
            // The rest concerns directives and rare indicators.
            _ => ("this is not valid YAML", None),
        };
        (message.to_owned(), help)
    }
}

impl Child {
    /// Stands where something was reported.
    fn faulty(place: Span) -> Self {
        Child { node: None, place, weight: 1, height: 0, merge: false }
    }
}

impl MapItems {
    /// The entries with what `<<` brought put in its place. Own keys win, and
    /// among merged maps the one that is named first.
    fn finish(self) -> Vec<Entry> {
        if self.merges.is_empty() {
            return self.entries;
        }
        let own = self.seen;
        let mut taken = HashSet::new();
        let mut entries = Vec::with_capacity(self.entries.len());
        let mut rest = self.entries.into_iter();
        let mut done = 0;
        for (before, merged) in self.merges {
            entries.extend(rest.by_ref().take(before - done));
            done = before;
            for entry in merged {
                if !own.contains_key(&entry.key) && taken.insert(entry.key.clone()) {
                    entries.push(entry);
                }
            }
        }
        entries.extend(rest);
        entries
    }
}

/// An explicit tag: what it means, and how and where it was written.
struct TagText {
    core: Option<String>,
    shown: String,
    place: Span,
}

fn tag_help() -> String {
    "remove it; `!!str` and the other core tags are the only ones read, and text that starts with `!` needs quotes"
        .to_owned()
}

/// What a plain scalar is under the core schema.
#[derive(Debug, PartialEq)]
enum Plain {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text,
    /// A whole number that older YAML reads otherwise.
    LeadingZero,
    /// A number that fits no type here.
    TooBig,
    /// Infinity or not a number.
    NotFinite,
}

fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" | "True" | "TRUE" => return Plain::Bool(true),
        "false" | "False" | "FALSE" => return Plain::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Plain::NotFinite,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Plain::NotFinite;
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    if is_digits(unsigned) {
        return if unsigned.len() > 1 && unsigned.starts_with('0') {
            Plain::LeadingZero
        } else {
            text.parse().map_or(Plain::TooBig, Plain::Int)
        };
    }
    if !is_float(unsigned) {
        return Plain::Text;
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Plain::Float(value),
        Ok(_) => Plain::TooBig,
        Err(_) => Plain::Text,
    }
}

fn radix(digits: &str, radix: u32) -> Plain {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Plain::Text;
    }
    i64::from_str_radix(digits, radix).map_or(Plain::TooBig, Plain::Int)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The core schema's float without its sign; Rust alone would also read `inf`.
fn is_float(text: &str) -> bool {
    let mantissa = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            if !is_digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)) {
                return false;
            }
            mantissa
        }
        None => text,
    };
    match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(mantissa),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Str(_) => "text",
        Value::Seq(_) => "a list",
        Value::Map(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const SAMPLE: &str = "\
# 견본
version: 1
hosts: &base
  eth0: {address: \"10.0.0.1/24\", mtu: 1500}
  list: [::1, fe80::1, 'a''b']
  text: |
    first line
      second

  folded: >-  # note
    one
    two
copies:
- <<: *base
  eth0: ~
- *base
- !!str 5
- 이름: \"값\\u00e9\"
  empty:
  f: -1.5e3
";

    fn read(text: &str) -> serde_json::Value {
        match compose(text, FileId(0)) {
            Ok(node) => {
                check_spans(text, &node);
                node.to_json()
            }
            Err(faults) => panic!("{text:?}: {faults:?}"),
        }
    }

    fn node(text: &str) -> Node {
        compose(text, FileId(0)).unwrap_or_else(|faults| panic!("{text:?}: {faults:?}"))
    }

    fn faults(text: &str) -> Vec<Fault> {
        let faults = compose(text, FileId(0)).expect_err(text);
        check_faults(text, &faults);
        faults
    }

    /// The rules and the texts they point at.
    fn rules(text: &str) -> Vec<(&'static str, &str)> {
        faults(text).iter().map(|fault| (fault.rule, cut(text, fault.span))).collect()
    }

    fn cut(text: &str, span: Span) -> &str {
        &text[span.start as usize..span.end as usize]
    }

    fn check_spans(text: &str, node: &Node) {
        cut(text, node.span);
        match &node.value {
            Value::Seq(items) => items.iter().for_each(|item| check_spans(text, item)),
            Value::Map(entries) => {
                for entry in entries {
                    cut(text, entry.key_span);
                    check_spans(text, &entry.value);
                }
            }
            _ => {}
        }
    }

    fn check_faults(text: &str, faults: &[Fault]) {
        assert!(!faults.is_empty(), "{text:?}");
        for fault in faults {
            cut(text, fault.span);
            if let Some((span, _)) = &fault.also {
                cut(text, *span);
            }
            assert!(!fault.message.ends_with('.'), "{}", fault.message);
            assert!(!fault.message.contains(char::is_control), "{}", fault.message);
            assert!(fault.message.chars().count() < 160, "{}", fault.message);
        }
        assert!(faults.is_sorted_by_key(|fault| fault.span.start));
    }

    fn at<'t>(text: &'t str, node: &Node, path: &[&str]) -> &'t str {
        let mut node = node;
        for step in path {
            node = match (&node.value, step.parse::<usize>()) {
                (Value::Seq(items), Ok(index)) => &items[index],
                _ => node.get(step).unwrap(),
            };
        }
        cut(text, node.span)
    }

    #[test]
    fn core_schema() {
        let cases: &[(&str, Plain)] = &[
            ("", Plain::Null),
            ("~", Plain::Null),
            ("NULL", Plain::Null),
            ("nULL", Plain::Text),
            ("True", Plain::Bool(true)),
            ("FALSE", Plain::Bool(false)),
            ("yes", Plain::Text),
            ("off", Plain::Text),
            ("0", Plain::Int(0)),
            ("-0", Plain::Int(0)),
            ("+12", Plain::Int(12)),
            ("-9223372036854775808", Plain::Int(i64::MIN)),
            ("9223372036854775808", Plain::TooBig),
            ("0x1F", Plain::Int(31)),
            ("0X1F", Plain::Text),
            ("-0x1F", Plain::Text),
            ("0x", Plain::Text),
            ("0x+1", Plain::Text),
            ("0xffffffffffffffff", Plain::TooBig),
            ("0o17", Plain::Int(15)),
            ("0o18", Plain::Text),
            ("0777", Plain::LeadingZero),
            ("-010", Plain::LeadingZero),
            ("08", Plain::LeadingZero),
            ("1.5", Plain::Float(1.5)),
            (".5", Plain::Float(0.5)),
            ("5.", Plain::Float(5.0)),
            ("1e3", Plain::Float(1000.0)),
            ("-1.5E-3", Plain::Float(-0.0015)),
            ("1e999", Plain::TooBig),
            (".", Plain::Text),
            ("e3", Plain::Text),
            ("1e", Plain::Text),
            ("inf", Plain::Text),
            ("nan", Plain::Text),
            ("infinity", Plain::Text),
            (".inf", Plain::NotFinite),
            ("-.INF", Plain::NotFinite),
            (".nan", Plain::NotFinite),
            ("1_000", Plain::Text),
            ("12:30:45", Plain::Text),
            ("2001:db8::1", Plain::Text),
            ("1.2.3", Plain::Text),
            ("2024-01-01", Plain::Text),
            ("+-1", Plain::Text),
            ("١٢", Plain::Text),
        ];
        for (text, want) in cases {
            assert_eq!(&resolve(text), want, "{text}");
        }
        assert_eq!(
            read("[yes, 'null', \"1\", 1_000, 12:30, on, Y]"),
            serde_json::json!(["yes", "null", "1", "1_000", "12:30", "on", "Y"])
        );
        assert_eq!(rules("a: .inf\nb: 99999999999999999999\n").len(), 2);
    }

    #[test]
    fn sample_reads_with_places() {
        let json = read(SAMPLE);
        assert_eq!(json["hosts"]["list"], serde_json::json!(["::1", "fe80::1", "a'b"]));
        assert_eq!(json["hosts"]["text"], "first line\n  second\n");
        assert_eq!(json["copies"][0]["eth0"], serde_json::Value::Null);
        assert_eq!(json["copies"][0]["folded"], "one two");
        assert_eq!(json["copies"][1], json["hosts"]);
        assert_eq!(json["copies"][2], "5");
        assert_eq!(json["copies"][3]["이름"], "값é");

        let root = node(SAMPLE);
        let at = |path: &[&str]| at(SAMPLE, &root, path);
        assert!(at(&[]).starts_with("version") && at(&[]).ends_with("-1.5e3"));
        assert_eq!(at(&["hosts", "eth0"]), "{address: \"10.0.0.1/24\", mtu: 1500}");
        assert_eq!(at(&["hosts", "list", "2"]), "'a''b'");
        assert_eq!(at(&["hosts", "text"]), "|\n    first line\n      second");
        assert_eq!(at(&["hosts", "folded"]), ">-  # note\n    one\n    two");
        assert!(at(&["hosts"]).starts_with("eth0") && at(&["hosts"]).ends_with("two"));
        assert!(at(&["copies"]).starts_with("- <<"));
        // Copies point at what was copied.
        assert_eq!(root.get("copies").unwrap().span.start as usize, SAMPLE.find("- <<").unwrap());
        assert_eq!(at(&["copies", "0", "text"]), at(&["hosts", "text"]));
        assert_eq!(at(&["copies", "1"]), at(&["hosts"]));
        assert_eq!(at(&["copies", "0"]), "<<: *base\n  eth0: ~");
        assert_eq!(at(&["copies", "3", "이름"]), "\"값\\u00e9\"");
        assert_eq!(at(&["copies", "3", "empty"]), "");
    }

    #[test]
    fn places_of_what_is_not_there() {
        let place = |text: &str, path: &[&str]| {
            let root = node(text);
            let mut found = &root;
            for step in path {
                found = match (&found.value, step.parse::<usize>()) {
                    (Value::Seq(items), Ok(index)) => &items[index],
                    _ => found.get(step).unwrap(),
                };
            }
            assert_eq!(found.value, Value::Null, "{text:?}");
            (found.span.start, found.span.end)
        };
        assert_eq!(place("a:\nb: 1\n", &["a"]), (2, 2));
        assert_eq!(place("a  :   # c\n\nb: 1\n", &["a"]), (4, 4));
        assert_eq!(place("한국:\r\nb: 1\r\n", &["한국"]), (7, 7));
        assert_eq!(place("- \n-\n", &["0"]), (1, 1));
        assert_eq!(place("- \n-\n", &["1"]), (4, 4));
        assert_eq!(place("{a, b: , c: 1}", &["a"]), (2, 2));
        assert_eq!(place("{a, b: , c: 1}", &["b"]), (6, 6));
        assert_eq!(place("a: &x\nb: *x", &["a"]), (5, 5));
        assert_eq!(place("a: &x\nb: *x", &["b"]), (5, 5));
        assert_eq!(place("a: !!null\nb: 1", &["a"]), (9, 9));
        assert_eq!(place("? a\n? b\n", &["a"]), (3, 3));
        assert_eq!(place("? a\n:\n", &["a"]), (5, 5));
    }

    #[test]
    fn places_of_collections() {
        let text = "a:\n- x\n- - y\n  - z\n\n# c\nb:\n  - p:\n      q: 1  \n\n";
        let root = node(text);
        assert_eq!(at(text, &root, &["a"]), "- x\n- - y\n  - z");
        assert_eq!(at(text, &root, &["a", "1"]), "- y\n  - z");
        assert_eq!(at(text, &root, &["b"]), "- p:\n      q: 1");
        assert_eq!(at(text, &root, &["b", "0", "p"]), "q: 1");
        let text = "a: [b: 1, c: , {d: e}]\r\nf: [\r\n  1,\r\n]\r\n";
        let root = node(text);
        assert_eq!(at(text, &root, &["a", "0"]), "b: 1");
        assert_eq!(at(text, &root, &["a", "1"]), "c:");
        assert_eq!(at(text, &root, &["a", "2"]), "{d: e}");
        assert_eq!(at(text, &root, &["f"]), "[\r\n  1,\r\n]");
        let text = "x: &a !!seq\n- - |\n    t\n  - &b !!str >+ # | no\n    u\n\n\ny: |\n\nz: 1";
        let root = node(text);
        assert_eq!(at(text, &root, &["x", "0", "0"]), "|\n    t");
        assert_eq!(at(text, &root, &["x", "0", "1"]), ">+ # | no\n    u");
        assert_eq!(at(text, &root, &["y"]), "|");
        let text = "\u{feff}가: 나\n";
        assert_eq!(node(text).entry("가").unwrap().key_span.start, 3);
        let text = "a: |\n  x\n# c\nb: 1\n";
        assert_eq!(at(text, &node(text), &["a"]), "|\n  x");
        let text = "a: plain\n  more # c\nb: 1";
        assert_eq!(at(text, &node(text), &["a"]), "plain\n  more");
    }

    #[test]
    fn addresses_in_brackets_are_text() {
        assert_eq!(read("[::1, fe80::1]"), serde_json::json!(["::1", "fe80::1"]));
        assert_eq!(read("eth0: {a: b}"), serde_json::json!({"eth0": {"a": "b"}}));
        assert_eq!(read("eth0: {a: b}\r\nx:\r\n  - y\r\n"), serde_json::json!({"eth0": {"a": "b"}, "x": ["y"]}));
    }

    #[test]
    fn leading_zeros() {
        let found = faults("mode: 0777\nb: 08\nc: -010\nd: '010'\n");
        let said: Vec<_> =
            found.iter().map(|fault| (fault.rule, fault.message.as_str(), fault.help.as_deref().unwrap())).collect();
        assert_eq!(
            said,
            [
                (
                    "yaml-leading-zero",
                    "`0777` reads as octal in YAML 1.1 and as decimal in YAML 1.2",
                    "write `777`, `0o777` or quote it"
                ),
                (
                    "yaml-leading-zero",
                    "`08` reads as text in YAML 1.1 and as decimal in YAML 1.2",
                    "write `8` or quote it"
                ),
                (
                    "yaml-leading-zero",
                    "`-010` reads as octal in YAML 1.1 and as decimal in YAML 1.2",
                    "write `-10` or quote it"
                ),
            ]
        );
    }

    #[test]
    fn keys() {
        let text = "한: 1\nb: {x: 1, x: 2}\n한: 2\n";
        let found = faults(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1].rule, "yaml-duplicate-key");
        assert_eq!(found[1].message, "the key `한` is written twice");
        assert_eq!(cut(text, found[1].span), "한");
        let (first, said) = found[1].also.clone().unwrap();
        assert_eq!((first.start, first.end, said.as_str()), (0, 3, "first written here"));
        assert_eq!(
            rules("80: a\ntrue: b\n~: c\n[x]: d\n{y: z}: e\n1.5: f\n010: g\n'1': h\nyes: i\n"),
            [
                ("yaml-key", "80"),
                ("yaml-key", "true"),
                ("yaml-key", "~"),
                ("yaml-key", "[x]"),
                ("yaml-key", "{y: z}"),
                ("yaml-key", "1.5"),
                ("yaml-key", "010"),
            ]
        );
        assert_eq!(faults("80: a")[0].help.as_deref(), Some("quote it: `\"80\":`"));
        assert_eq!(rules("a: 1\n: 2\n")[0].0, "yaml-key");
        assert_eq!(rules("\"a\": 1\na: 2\n"), [("yaml-duplicate-key", "a")]);
        assert_eq!(read("&k a: 1\nb: *k\n*k : 2\n".replace("*k : 2\n", "").as_str())["b"], "a");
        assert_eq!(rules("&k a: 1\n*k : 2\n"), [("yaml-duplicate-key", "*k")]);
    }

    #[test]
    fn tags() {
        assert_eq!(
            read(
                "[!!str 5, !!str , !!int \"5\", !!float 5, !!bool true, !!null ~, !!map {}, !!seq [], !<tag:yaml.org,2002:str> 1]"
            ),
            serde_json::json!(["5", "", 5, 5.0, true, null, {}, [], "1"])
        );
        assert_eq!(
            rules("a: !foo 1\nb: !!binary aGk=\nc: !!python/object {}\nd: !!int x\ne: !!map []\nf: ! 5\ng: !!seq x\n"),
            [
                ("yaml-tag", "!foo"),
                ("yaml-tag", "!!binary"),
                ("yaml-tag", "!!python/object"),
                ("yaml-tag", "!!int"),
                ("yaml-tag", "!!map"),
                ("yaml-tag", "!"),
                ("yaml-tag", "!!seq"),
            ]
        );
        assert_eq!(rules("a: !foo!bar 5"), [("yaml-tag", "!foo!bar")]);
    }

    #[test]
    fn documents() {
        assert_eq!(read("---\na: 1\n...\n")["a"], 1);
        assert_eq!(rules("a: 1\n---\nb: 2\n"), [("yaml-second-document", "---")]);
        assert_eq!(rules("a: 1\n...\nb: 2\n"), [("yaml-second-document", "b: 2")]);
        assert_eq!(rules("a: 010\n---\n%@\n").len(), 2);
        for text in ["", " \n", "# only\n", "---\n", "\u{feff}", "---\n# x\n...\n"] {
            assert_eq!(rules(text), [("yaml-empty", "")], "{text:?}");
        }
        assert_eq!(read("--- null"), serde_json::Value::Null);
    }

    #[test]
    fn syntax() {
        let said = |text: &str| {
            let found = faults(text);
            let last = found.last().unwrap();
            assert_eq!(last.rule, "yaml-syntax", "{text:?}");
            (cut(text, last.span).to_owned(), last.message.clone())
        };
        for text in
            ["a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 2\n", "\ta: 1\n", "a: b\n\tc: d\n", "a:\n \t- b\n", "- a\n\t- b\n"]
        {
            let (at, message) = said(text);
            assert_eq!((at.as_str(), message.as_str()), ("\t", "a tab stands in the indentation"), "{text:?}");
            assert_eq!(faults(text)[0].help.as_deref(), Some("indent with spaces"));
        }
        assert_eq!(said("a: # it's\n  'x\nb: 1\n").0, "'x");
        assert_eq!(said("a: \"x\n").0, "\"x");
        assert_eq!(said("a: b: c\n").1, "a second `:` cannot stand here");
        assert!(said("key\nb: 1\n").1.starts_with("this line continues"));
        assert_eq!(said("a: @x\n"), ("@".into(), "`@` cannot start a value".into()));
        assert_eq!(said("a: [1, 2\nb: 3\n").1, "this cannot stand here, `[` is still open");
        assert_eq!(said("a: {b: 1]\n").1, "`{` is closed by `]`");
        assert_eq!(said("a: [1").1, "`[` is not closed");
        assert_eq!(said("a: \"\\q\"\n").1, "this text holds an escape that YAML does not know");
        assert_eq!(said("a: *\n").1, "a name is missing after `*` or `&`");
        assert_eq!(said("a: x\0y\n").1, "the text holds a `\\u{0}` byte");
        assert_eq!(said("# \u{1b}[31m\na: 1\n").1, "the text holds the control character `\\u{1b}`");
        assert_eq!(said("a: 한\u{feff}b\nc: \u{feff}x").1, "a byte order mark stands inside the text");
        // What was found before the error is kept.
        assert_eq!(
            rules("a: 010\na: 1\nb: ]\n").iter().map(|rule| rule.0).collect::<Vec<_>>(),
            ["yaml-leading-zero", "yaml-duplicate-key", "yaml-syntax"]
        );
    }

    #[test]
    fn aliases_and_merges() {
        assert_eq!(read("a: &x {k: [1]}\nb: *x\n")["b"]["k"][0], 1);
        assert_eq!(
            rules("a: *x\nb: &y [*y]\nc: &z {d: *z}\ne: *.example.com\n"),
            [("yaml-alias", "*x"), ("yaml-alias", "*y"), ("yaml-alias", "*z"), ("yaml-alias", "*.example.com")]
        );
        let text = "a: &a {k: 1, l: 2}\nb: &b {k: 3, m: 4}\nc:\n  z: 0\n  <<: [*a, *b]\n  l: 5\n";
        assert_eq!(read(text)["c"], serde_json::json!({"z": 0, "k": 1, "m": 4, "l": 5}));
        let root = node(text);
        let merged = root.get("c").unwrap();
        let keys: Vec<_> = match &merged.value {
            Value::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            _ => vec![],
        };
        assert_eq!(keys, ["z", "k", "m", "l"]);
        assert_eq!(merged.entry("k").unwrap().key_span.start, 7);
        assert_eq!(cut(text, merged.get("m").unwrap().span), "4");
        // A merged map can be merged on.
        assert_eq!(read("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n")["c"]["x"], 1);
        assert_eq!(read("a: {<<: {x: 1}}\n")["a"]["x"], 1);
        assert_eq!(read("a: {\"<<\": 1}\n")["a"]["<<"], 1);
        assert_eq!(
            rules("a: &a 1\nb: {<<: *a}\nc: {<<: [1]}\nd: {<<: x}\ne: {<<: {}, <<: {}}\nf: {<<: *no}\n"),
            [
                ("yaml-merge-key", "*a"),
                ("yaml-merge-key", "[1]"),
                ("yaml-merge-key", "x"),
                ("yaml-duplicate-key", "<<"),
                ("yaml-alias", "*no"),
            ]
        );
    }

    /// Generous, as a busy machine is slow: what must not happen takes hours.
    fn quick<T>(limit: u64, run: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = run();
        assert!(start.elapsed() < Duration::from_millis(limit), "{:?}", start.elapsed());
        result
    }

    #[test]
    fn bombs_are_refused_before_they_expand() {
        use std::fmt::Write;
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let alias = format!("*a{}", level - 1);
            let list = [alias.as_str(); 9].join(", ");
            writeln!(laughs, "a{level}: &a{level} [{list}]").unwrap();
        }
        let found = quick(5_000, || faults(&laughs));
        assert_eq!(found[0].rule, "yaml-too-large");
        assert_eq!(found[0].message, "aliases expand to more than 10000 values");

        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000));
        assert_eq!(quick(5_000, || faults(&long))[0].rule, "yaml-too-large");

        let mut merges = "a0: &a0 {k: 1}\n".to_owned();
        for level in 1..40 {
            let low = level - 1;
            writeln!(merges, "a{level}: &a{level} {{<<: [*a{low}, *a{low}], k{level}: 1}}").unwrap();
        }
        assert_eq!(quick(5_000, || faults(&merges))[0].rule, "yaml-too-large");

        // Depth by aliases, each level adding few.
        let mut deep = "a0: &a0 [x]\n".to_owned();
        for level in 1..100 {
            writeln!(deep, "a{level}: &a{level} [*a{}]", level - 1).unwrap();
        }
        assert_eq!(faults(&deep)[0].rule, "yaml-too-deep");
    }

    #[test]
    fn depth_is_bounded() {
        for opening in ["- ", "[", "{a: ", "? ", "[[{a: ", "- - [", "&a [", "!!seq [", "- a: ", "[? "] {
            let text = opening.repeat(100_000);
            let found = quick(5_000, || faults(&text));
            assert!(matches!(found[0].rule, "yaml-too-deep" | "yaml-syntax"), "{opening}: {found:?}");
        }
        let mut nested = String::new();
        for level in 0..5_000 {
            nested.push_str(&" ".repeat(level % 700));
            nested.push_str("a:\n");
        }
        faults(&nested);
        let mut nested = String::new();
        for level in 0..500 {
            nested.push_str(&" ".repeat(level));
            nested.push_str("a:\n");
        }
        assert_eq!(faults(&nested)[0].rule, "yaml-too-deep");
        let fits = format!("{}x{}", "[".repeat(64), "]".repeat(64));
        node(&fits);
        let over = format!("{}x{}", "[".repeat(65), "]".repeat(65));
        assert_eq!(faults(&over)[0].rule, "yaml-too-deep");
        assert_eq!(faults(&"- ".repeat(65))[0].rule, "yaml-too-deep");
        node(&"- ".repeat(64));
    }

    #[test]
    fn size_is_bounded() {
        let huge = format!("a: {}", "x".repeat(4 * 1024 * 1024));
        assert_eq!(quick(2_000, || faults(&huge))[0].rule, "yaml-too-large");
        let most = 4 * 1024 * 1024 - 10;
        for text in [
            format!("a: {}", "x".repeat(most)),
            format!("a: '{}'", "x ".repeat(most / 2)),
            format!("#{}\na: 1", "x".repeat(most - 10)),
            format!("a: |\n{}", "  xxx\n".repeat(most / 6)),
            "\n".repeat(most),
        ] {
            let _ = quick(10_000, || compose(&text, FileId(0)));
        }
        for piece in [
            "- a\n", "-\n", "a, ", "? a\n", "a: b\n", "*a ", "&a ", "!a ", "\"", "'", ": ", "[]\n", "{}, ", "|\n",
            "\t", "%A\n", "---\n",
        ] {
            let text = piece.repeat((1 << 20) / piece.len());
            if let Err(faults) = quick(10_000, || compose(&text, FileId(0))) {
                check_faults(&text, &faults);
            }
        }
        let many: String = (0..2_000).map(|_| "a: 1\n").collect();
        assert_eq!(faults(&many).len(), MAX_FAULTS);
    }

    #[test]
    fn damaged_text_never_panics() {
        let check = |text: &str| match compose(text, FileId(0)) {
            Ok(node) => check_spans(text, &node),
            Err(faults) => check_faults(text, &faults),
        };
        let pieces = [
            "\t", "\n", " ", ":", ": ", "- ", "? ", "[", "]", "{", "}", ",", "#", " #", "&a ", "*base ", "!", "!!int ",
            "|", ">", "'", "\"", "%", "@", "`", "\\", "\0", "\r", "\r\n", "\u{feff}", "\u{85}", "한", "010", "<<: ",
            "---\n", "\n...\n", "~", "\u{2028}",
        ];
        for (at, c) in SAMPLE.char_indices() {
            let (before, after) = SAMPLE.split_at(at);
            check(before);
            check(after);
            check(&format!("{before}{}", &after[c.len_utf8()..]));
            check(&format!("{before}{}", after.get(c.len_utf8() + 4..).unwrap_or_default()));
            for piece in pieces {
                check(&format!("{before}{piece}{after}"));
                check(&format!("{before}{piece}{}", &after[c.len_utf8()..]));
            }
        }
    }
}
