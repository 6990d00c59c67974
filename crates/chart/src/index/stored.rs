//! Indexes in JSON, read as a stream.

use std::fmt;
use std::io::{BufRead, Read, Seek, Write};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::section::{Section, section};
use super::{ENTRIES, HEAD, Index, IndexError, IndexVersion};

/// The versions of a chart in an index as [`super::normalise`] writes it, highest first; `None` when it has no such chart.
///
/// # Errors
/// What cannot be read, or is no index.
pub fn find(mut index: impl BufRead + Seek, chart: &str) -> Result<Option<Vec<IndexVersion>>, IndexError> {
    match section(&mut index, chart)? {
        Section::Absent => Ok(None),
        Section::Versions(list) => {
            let mut versions = Vec::new();
            let mut each = |_: &str, version: Option<Json>| {
                versions.extend(version.map(IndexVersion::from_json).transpose()?);
                Ok(())
            };
            let mut json = serde_json::Deserializer::from_slice(&list);
            Versions { name: chart, each: &mut each }.deserialize(&mut json).map_err(malformed)?;
            Ok(Some(versions))
        }
        Section::Unknown => {
            index.rewind()?;
            find_anyhow(index, chart)
        }
    }
}

/// Looks for a chart in an index of any layout.
pub(super) fn find_anyhow(index: impl Read, chart: &str) -> Result<Option<Vec<IndexVersion>>, IndexError> {
    let mut found = None;
    let mut each = |name: &str, version: Option<Json>| {
        if name == chart {
            let versions: &mut Vec<IndexVersion> = found.get_or_insert_default();
            if let Some(version) = version {
                versions.push(IndexVersion::from_json(version)?);
            }
        }
        Ok(())
    };
    let mut json = serde_json::Deserializer::from_reader(index);
    let mut reader = Reader { wanted: Some(chart), head: &mut |_, _| {}, each: &mut each };
    (&mut reader).deserialize(&mut json).map_err(malformed)?;
    Ok(found)
}

/// Reads an index that somebody else wrote in JSON.
pub(super) fn read_json<S: Read + Write + Seek>(
    input: impl Read,
    index: &mut Index<'_, S>,
) -> Result<(), IndexError> {
    let mut head = serde_json::Map::new();
    let mut json = serde_json::Deserializer::from_reader(input);
    let mut reader = Reader {
        wanted: None,
        head: &mut |name: &str, value| {
            if HEAD.has(name) {
                head.insert(name.to_owned(), value);
            }
        },
        each: &mut |name: &str, version: Option<Json>| {
            let version =
                version.filter(|version| !version.is_null()).map(IndexVersion::from_json).transpose()?;
            index.add(name, version)
        },
    };
    (&mut reader).deserialize(&mut json).map_err(malformed)?;
    json.end().map_err(malformed)?;
    index.head = head;
    Ok(())
}

fn malformed(error: serde_json::Error) -> IndexError {
    IndexError::Malformed(error.to_string())
}

type Each<'a> = &'a mut dyn FnMut(&str, Option<Json>) -> Result<(), IndexError>;

/// Reads an index and hands out its parts as they come.
struct Reader<'a> {
    /// The only chart whose versions are read; `None` for all.
    wanted: Option<&'a str>,
    /// Takes the fields beside the charts.
    head: &'a mut dyn FnMut(&str, Json),
    /// Takes the versions, and once for each chart a `None`.
    each: Each<'a>,
}

impl<'de> DeserializeSeed<'de> for &mut Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index of charts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == ENTRIES {
                map.next_value_seed(Charts { wanted: self.wanted, each: &mut *self.each })?;
            } else if self.wanted.is_some() {
                map.next_value::<IgnoredAny>()?;
            } else {
                (self.head)(&name, map.next_value()?);
            }
        }
        Ok(())
    }
}

struct Charts<'a, 'b> {
    wanted: Option<&'a str>,
    each: Each<'b>,
}

impl<'de> DeserializeSeed<'de> for Charts<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Charts<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of charts")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if self.wanted.is_some_and(|wanted| wanted != name) {
                map.next_value::<IgnoredAny>()?;
            } else {
                (self.each)(&name, None).map_err(serde::de::Error::custom)?;
                map.next_value_seed(Versions { name: &name, each: &mut *self.each })?;
            }
        }
        Ok(())
    }
}

struct Versions<'a, 'b> {
    name: &'a str,
    each: Each<'b>,
}

impl<'de> DeserializeSeed<'de> for Versions<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Versions<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of versions")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut versions: A) -> Result<(), A::Error> {
        while let Some(version) = versions.next_element::<Json>()? {
            (self.each)(self.name, Some(version)).map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}
