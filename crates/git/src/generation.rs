//! The objects of one remote on disk.
//!
//! A remote's store is a row of generations, each a directory `{number}/` with an object database and a file `tips` that
//! lists the commits and tags that are here with everything they hold. Fetches add packs to the newest generation; when
//! it has grown too much, a new one begins and the old one is deleted as soon as its last reader is done. A process that
//! is killed leaves at worst temporary files and a pack that no tip names: both are swept when the store is opened again.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gix_hash::ObjectId;

use crate::Error;
use crate::upload_pack::Depth;

const TIPS: &str = "tips";
/// The first line of `tips`; another one is from another version, whose stores are not read.
const FORMAT: &str = "millrace git store 1";
/// Tips remembered and told to the server: the newest are what the next fetch resembles most.
const MOST_TIPS: usize = 16;
/// A generation with more packs than this is overgrown.
const MOST_PACKS: usize = 24;
/// So is one that has grown by more than this since its first fetch, and to more than twice its first size.
const MOST_GROWTH: u64 = 32 << 20;

/// One row of packs.
pub(crate) struct Generation {
    directory: PathBuf,
    pub(crate) hash: gix_hash::Kind,
    pub(crate) depth: Depth,
    tips: Mutex<Vec<ObjectId>>,
    /// The size after the first fetch.
    first_size: Mutex<u64>,
    /// Set when the generation is replaced: the last reader deletes it.
    abandoned: AtomicBool,
}

impl Generation {
    /// Begins generation `number` below `store`.
    pub(crate) fn create(
        store: &Path,
        number: u64,
        hash: gix_hash::Kind,
        depth: Depth,
    ) -> Result<Self, Error> {
        let directory = store.join(number.to_string());
        remove_directory(&directory).map_err(Error::store("delete the remains of an old store"))?;
        fs::create_dir_all(directory.join("objects/pack")).map_err(Error::store("create"))?;
        Ok(Self {
            directory,
            hash,
            depth,
            tips: Mutex::default(),
            first_size: Mutex::default(),
            abandoned: AtomicBool::new(false),
        })
    }

    /// Opens the newest usable generation below `store` and sweeps everything else there.
    pub(crate) fn open_newest(store: &Path) -> Result<Option<(u64, Self)>, Error> {
        let entries = match fs::read_dir(store) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::store("read")(error)),
        };
        let mut numbers: Vec<u64> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()))
            .collect();
        numbers.sort_unstable_by(|one, other| other.cmp(one));
        let mut newest = None;
        for number in numbers {
            let directory = store.join(number.to_string());
            if newest.is_none()
                && let Some(generation) = Self::open(&directory)?
            {
                newest = Some((number, generation));
                continue;
            }
            remove_directory(&directory).map_err(Error::store("delete an old store"))?;
        }
        Ok(newest)
    }

    /// `None` when the directory is not a whole generation.
    fn open(directory: &Path) -> Result<Option<Self>, Error> {
        let Ok(text) = fs::read_to_string(directory.join(TIPS)) else { return Ok(None) };
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return Ok(None);
        }
        let hash = match lines.next() {
            Some("sha1") => gix_hash::Kind::Sha1,
            Some("sha256") => gix_hash::Kind::Sha256,
            _ => return Ok(None),
        };
        let depth = match lines.next() {
            Some("one") => Depth::One,
            Some("full") => Depth::Full,
            _ => return Ok(None),
        };
        let Some(first_size) = lines.next().and_then(|line| line.parse().ok()) else { return Ok(None) };
        let tips: Result<Vec<ObjectId>, _> = lines.map(|line| ObjectId::from_hex(line.as_bytes())).collect();
        let Ok(tips) = tips else { return Ok(None) };
        sweep_packs(&directory.join("objects/pack")).map_err(Error::store("sweep"))?;
        Ok(Some(Self {
            directory: directory.to_owned(),
            hash,
            depth,
            tips: Mutex::new(tips),
            first_size: Mutex::new(first_size),
            abandoned: AtomicBool::new(false),
        }))
    }

    /// The commits and tags that are here whole, the newest first.
    pub(crate) fn tips(&self) -> Vec<ObjectId> {
        self.tips.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that `ids` are here whole: from now on they are told to the server.
    pub(crate) fn add_tips(&self, ids: &[ObjectId]) -> Result<(), Error> {
        let size = self.size().map_err(Error::store("measure"))?.1;
        let mut tips = self.tips.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<ObjectId> = ids.to_vec();
        all.extend(tips.iter().filter(|id| !ids.contains(id)).copied());
        all.truncate(MOST_TIPS);
        let mut first_size = self.first_size.lock().unwrap_or_else(PoisonError::into_inner);
        if *first_size == 0 {
            *first_size = size;
        }
        let depth = match self.depth {
            Depth::One => "one",
            Depth::Full => "full",
        };
        let mut text = format!("{FORMAT}\n{}\n{depth}\n{first_size}\n", self.hash);
        for id in &all {
            text.push_str(&format!("{id}\n"));
        }
        // Written beside and renamed: a reader finds the old list or the new one.
        let new = self.directory.join("tips.new");
        let write = || -> io::Result<()> {
            let mut file = fs::File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, self.directory.join(TIPS))
        };
        write().map_err(Error::store("record what was fetched"))?;
        *tips = all;
        Ok(())
    }

    /// Where packs go.
    pub(crate) fn pack_directory(&self) -> PathBuf {
        self.directory.join("objects/pack")
    }

    /// Number and total bytes of the files of the object database; only packs count as number.
    fn size(&self) -> io::Result<(usize, u64)> {
        let mut packs = 0;
        let mut bytes = 0u64;
        for entry in fs::read_dir(self.pack_directory())? {
            let entry = entry?;
            packs += usize::from(entry.path().extension().is_some_and(|extension| extension == "pack"));
            bytes = bytes.saturating_add(entry.metadata()?.len());
        }
        Ok((packs, bytes))
    }

    /// True when it is better to begin anew than to add another pack.
    pub(crate) fn is_overgrown(&self) -> bool {
        let first = *self.first_size.lock().unwrap_or_else(PoisonError::into_inner);
        self.size().is_ok_and(|(packs, bytes)| {
            packs >= MOST_PACKS
                || (bytes > first.saturating_mul(2) && bytes > first.saturating_add(MOST_GROWTH))
        })
    }

    /// Opens the object database as it is now.
    pub(crate) fn objects(self: &Arc<Self>) -> Result<Objects, Error> {
        let options = gix_odb::store::init::Options {
            use_multi_pack_index: false,
            alloc_limit_bytes: Some(LARGEST_OBJECT),
            ..Default::default()
        };
        let store = gix_odb::Store::at_opts(
            self.directory.join("objects"),
            self.hash,
            &mut std::iter::empty(),
            options,
        )
        .map_err(Error::store("open"))?;
        Ok(Objects { store: Arc::new(store), generation: Arc::clone(self) })
    }

    /// Deletes the generation once nobody reads it any more.
    pub(crate) fn abandon(&self) {
        // Without its list it will not be opened again, whatever happens to this process.
        let _ = fs::remove_file(self.directory.join(TIPS));
        self.abandoned.store(true, Ordering::Release);
    }

    /// True after [`Generation::abandon`].
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }
}

/// The largest object that is decoded, in bytes: a file beyond it is no configuration.
pub(crate) const LARGEST_OBJECT: usize = 512 << 20;

impl Drop for Generation {
    fn drop(&mut self) {
        if self.abandoned.load(Ordering::Acquire) {
            // What stays behind is swept when the store is opened next.
            let _ = remove_directory(&self.directory);
        }
    }
}

/// Deletes everything but whole packs with their indexes.
fn sweep_packs(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let twin = match extension {
            "pack" => path.with_extension("idx"),
            "idx" => path.with_extension("pack"),
            _ => PathBuf::new(),
        };
        let named =
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("pack-"));
        if !named || !twin.is_file() {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Deletes a directory that may not be there.
pub(crate) fn remove_directory(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// An open object database. It keeps its generation on disk.
#[derive(Clone)]
pub(crate) struct Objects {
    store: Arc<gix_odb::Store>,
    generation: Arc<Generation>,
}

/// Memory for delta bases of one reader, in bytes.
const PACK_CACHE: usize = 8 << 20;

impl Objects {
    /// A reader with a cache of its own.
    pub(crate) fn reader(&self) -> Reader {
        let mut handle = self.store.to_cache_arc();
        handle.set_pack_cache(|| Box::new(gix_pack::cache::lru::MemoryCappedHashmap::new(PACK_CACHE)));
        Reader { handle, generation: Arc::clone(&self.generation) }
    }
}

/// What a reader expects an object to be.
pub(crate) use gix_object::Kind as ObjectKind;

/// Reads objects.
pub(crate) struct Reader {
    handle: gix_odb::HandleArc,
    generation: Arc<Generation>,
}

impl Reader {
    /// Reads an object that must be here into `buffer`. A missing or damaged one condemns the generation, so that the next
    /// fetch begins anew.
    pub(crate) fn read<'a>(
        &self,
        id: &ObjectId,
        kind: ObjectKind,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], Error> {
        let reason = match self.try_read(id, buffer) {
            Ok(Some(found)) if found == kind => return Ok(buffer),
            Ok(Some(found)) => format!("it is a {found} where a {kind} is expected"),
            Ok(None) => "it is missing from the store".to_owned(),
            Err(reason) => reason,
        };
        self.generation.abandon();
        Err(Error::object(id, reason))
    }

    /// Reads an object that may not be here.
    pub(crate) fn try_read(&self, id: &ObjectId, buffer: &mut Vec<u8>) -> Result<Option<ObjectKind>, String> {
        use gix_object::Find as _;
        match self.handle.try_find(id, buffer) {
            Ok(found) => Ok(found.map(|data| data.kind)),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What the tag `id` leads to in the end; a commit leads to itself.
    pub(crate) fn peel(&self, id: ObjectId) -> Result<ObjectId, Error> {
        let mut buffer = Vec::new();
        let mut id = id;
        // Tags of tags of tags: no honest chain is longer.
        for _ in 0..16 {
            match self.try_read(&id, &mut buffer) {
                Ok(Some(ObjectKind::Tag)) => {
                    id = crate::object::Tag::target(&buffer)
                        .ok_or_else(|| Error::object(id, "a damaged tag"))?
                        .0;
                }
                Ok(Some(_)) => return Ok(id),
                Ok(None) => return Err(Error::object(id, "it is missing from the store")),
                Err(reason) => return Err(Error::object(id, reason)),
            }
        }
        Err(Error::object(id, "a chain of tags without end"))
    }

    /// The database, for completing packs that refer to objects already here.
    pub(crate) fn into_handle(self) -> gix_odb::HandleArc {
        self.handle
    }
}
