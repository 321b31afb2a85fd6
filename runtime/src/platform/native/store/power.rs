//! A power failure for tests. Unsynced data is lost, completely or in part.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::super::random::SplitMix;
use crate::error::StorageError;

/// The unit that a disk writes completely or not at all.
pub(super) const SECTOR: usize = 512;
/// The unit that the operating system marks as written.
const PAGE: usize = 4_096;

/// Records what every sync made durable. Files are identified by their inodes, because a rename
/// moves them.
#[derive(Default)]
pub(super) struct Power(Mutex<Disk>);

/// The number of an inode may be reused. Its time of birth is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Inode(u64, Option<SystemTime>);

impl Inode {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.ino(), metadata.created().ok())
    }
}

#[derive(Clone, Default)]
struct Disk {
    contents: HashMap<Inode, Vec<u8>>,
    /// What the files contained when a sync of them failed. The operating system considers these
    /// pages written. A later sync does not write them, unless they have changed.
    clean: HashMap<Inode, Vec<u8>>,
    entries: HashMap<PathBuf, Vec<(PathBuf, Inode)>>,
    /// The endings of paths whose syncs must fail, one for each failure.
    failing: Vec<String>,
}

impl Power {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the disk holds, for a new process.
    pub(super) fn take_over(&self, earlier: &Self) {
        let mut disk = self.disk();
        let earlier = std::mem::take(&mut *earlier.disk());
        disk.contents.extend(earlier.contents);
        disk.clean.extend(earlier.clean);
        for (folder, entries) in earlier.entries {
            disk.entries.entry(folder).or_insert(entries);
        }
    }

    /// Makes the next sync of a path with this ending fail once, as the disk does.
    pub(super) fn fail_next(&self, ending: &str) {
        self.disk().failing.push(ending.to_owned());
    }

    /// Whether a sync that must fail has not been made yet.
    pub(super) fn is_failing(&self) -> bool {
        !self.disk().failing.is_empty()
    }

    pub(super) fn before_sync(&self, path: &Path) -> Result<(), StorageError> {
        let mut disk = self.disk();
        let name = path.to_string_lossy();
        if let Some(index) = disk
            .failing
            .iter()
            .position(|ending| name.ends_with(ending.as_str()))
        {
            disk.failing.remove(index);
            if let (Ok(file), Ok(bytes)) = (fs::metadata(path), fs::read(path)) {
                disk.clean.insert(Inode::of(&file), bytes);
            }
            return Err(StorageError::Io(format!("syncing {name}: injected")));
        }
        Ok(())
    }

    pub(super) fn file_synced(&self, path: &Path) {
        if let (Ok(file), Ok(bytes)) = (fs::metadata(path), fs::read(path)) {
            let (mut disk, inode) = (self.disk(), Inode::of(&file));
            let synced = match disk.clean.get(&inode) {
                Some(clean) => {
                    let durable = disk.contents.get(&inode).map_or(&[][..], Vec::as_slice);
                    changed_pages(&bytes, clean, durable)
                }
                None => bytes,
            };
            disk.contents.insert(inode, synced);
        }
    }

    /// Records that all bytes of a file were written again. A sync writes all of them.
    pub(super) fn file_rewritten(&self, path: &Path) {
        if let Ok(file) = fs::metadata(path) {
            self.disk().clean.remove(&Inode::of(&file));
        }
    }

    pub(super) fn folder_synced(&self, path: &Path) {
        let Ok(entries) = fs::read_dir(path) else {
            return;
        };
        let entries = entries.map(|entry| {
            let entry = entry.expect("an entry");
            (entry.path(), Inode::of(&entry.metadata().expect("a file")))
        });
        self.disk()
            .entries
            .insert(path.to_owned(), entries.collect());
    }

    /// Records that the disk holds everything in this folder.
    pub(super) fn has_all(&self, folder: &Path) {
        self.folder_synced(folder);
        for path in entries_of(folder).into_keys() {
            if path.is_dir() {
                self.has_all(&path);
            } else {
                self.file_synced(&path);
            }
        }
    }

    /// Creates in the folder `after` what is found in `root` after a power failure.
    pub(super) fn cut(&self, root: &Path, after: &Path) {
        let disk = self.disk();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for (path, inode) in disk.entries.get(&folder).into_iter().flatten() {
                let found = after.join(path.strip_prefix(root).expect("a path in the root"));
                if disk.entries.contains_key(path) || path.is_dir() {
                    fs::create_dir_all(&found).expect("a folder");
                    folders.push(path.clone());
                } else {
                    let bytes = disk.contents.get(inode).cloned().unwrap_or_default();
                    fs::write(&found, bytes).expect("a file");
                }
            }
        }
    }

    /// Returns what the disk holds now, for [`cut_some`](Self::cut_some).
    pub(super) fn present(&self) -> Self {
        Self(Mutex::new(self.disk().clone()))
    }

    /// Like [`cut`](Self::cut), but keeps some of the unsynced data: any sectors of files, any
    /// entries of folders.
    pub(super) fn cut_some(&self, root: &Path, after: &Path, dice: &SplitMix) {
        let disk = self.disk();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let shown = entries_of(&folder);
            let durable = disk.entries.get(&folder).into_iter().flatten();
            let durable: BTreeMap<_, _> = durable.cloned().collect();
            let mut paths: Vec<&PathBuf> = shown.keys().chain(durable.keys()).collect();
            paths.sort();
            paths.dedup();
            for path in paths {
                let (shown, durable) = (shown.get(path), durable.get(path));
                let kept = if dice.below(2) == 0 { shown } else { durable };
                let Some(inode) = kept else { continue };
                let found = after.join(path.strip_prefix(root).expect("a path in the root"));
                if path.is_dir() {
                    fs::create_dir_all(&found).expect("a folder");
                    folders.push(path.clone());
                    continue;
                }
                let durable = disk.contents.get(inode).cloned().unwrap_or_default();
                let bytes = match fs::read(path) {
                    Ok(bytes) if shown == Some(inode) => mix(&durable, &bytes, dice),
                    // Another file has taken its place.
                    _ => durable,
                };
                fs::write(&found, bytes).expect("a file");
            }
        }
    }
}

/// Returns what a sync leaves on the disk: the pages that have changed since they were marked as
/// written. The others stay as they are on the disk.
fn changed_pages(shown: &[u8], clean: &[u8], durable: &[u8]) -> Vec<u8> {
    let mut bytes = shown.to_vec();
    for (number, page) in bytes.chunks_mut(PAGE).enumerate() {
        let at = number * PAGE;
        if clean.get(at..at + page.len()) == Some(&*page) {
            let durable = durable.get(at..).unwrap_or_default();
            let length = page.len().min(durable.len());
            page[..length].copy_from_slice(&durable[..length]);
            page[length..].fill(0);
        }
    }
    bytes
}

fn entries_of(folder: &Path) -> BTreeMap<PathBuf, Inode> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let entry = |entry: fs::DirEntry| Some((entry.path(), Inode::of(&entry.metadata().ok()?)));
    entries.filter_map(entry).collect()
}

/// Mixes two states of a file, the durable one and the unsynced one, by sectors.
fn mix(durable: &[u8], shown: &[u8], dice: &SplitMix) -> Vec<u8> {
    let (shorter, longer) = (
        durable.len().min(shown.len()),
        durable.len().max(shown.len()),
    );
    let length = match dice.below(3) {
        0 => durable.len(),
        1 => shown.len(),
        _ => (shorter + dice.below(longer - shorter + 1))
            .next_multiple_of(SECTOR)
            .min(longer),
    };
    // None of the unsynced sectors, all of them, or one in two.
    let share = dice.below(3);
    let mut bytes = vec![0; length];
    for at in (0..length).step_by(SECTOR) {
        let is_new = share == 2 || share == 1 && dice.below(2) == 0;
        let from = if is_new { shown } else { durable };
        let end = (at + SECTOR).min(length).min(from.len());
        if at < end {
            bytes[at..end].copy_from_slice(&from[at..end]);
        }
    }
    bytes
}
