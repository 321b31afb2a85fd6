//! A power failure for tests: what was not synced is lost.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::StorageError;

/// Notes what every sync made durable. Files are known by their inodes, since a rename moves them.
#[derive(Default)]
pub(super) struct Power(Mutex<Disk>);

#[derive(Default)]
struct Disk {
    contents: HashMap<u64, Vec<u8>>,
    entries: HashMap<PathBuf, Vec<(PathBuf, u64)>>,
    /// How many syncs of paths that end so are to fail.
    failing: Vec<String>,
}

impl Power {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the disk holds, seen from a new process.
    pub(super) fn take_over(&self, earlier: &Self) {
        let mut disk = self.disk();
        let earlier = std::mem::take(&mut *earlier.disk());
        disk.contents.extend(earlier.contents);
        for (folder, entries) in earlier.entries {
            disk.entries.entry(folder).or_insert(entries);
        }
    }

    /// Lets the next sync of a path that ends so fail, as the disk does: once.
    pub(super) fn fail_next(&self, ending: &str) {
        self.disk().failing.push(ending.to_owned());
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
            return Err(StorageError::Io(format!("syncing {name}: injected")));
        }
        Ok(())
    }

    pub(super) fn file_synced(&self, path: &Path) {
        if let (Ok(inode), Ok(bytes)) = (fs::metadata(path), fs::read(path)) {
            self.disk().contents.insert(inode.ino(), bytes);
        }
    }

    pub(super) fn folder_synced(&self, path: &Path) {
        let Ok(entries) = fs::read_dir(path) else {
            return;
        };
        let entries = entries.map(|entry| {
            let entry = entry.expect("an entry");
            (entry.path(), entry.metadata().expect("a file").ino())
        });
        self.disk()
            .entries
            .insert(path.to_owned(), entries.collect());
    }

    /// What is found in `root` after the power failed, made in the folder `after`.
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
}
