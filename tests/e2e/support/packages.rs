//! Wheels and sdists, built on the spot: the same bytes each time, and valid enough for pip and uv.

use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// A distribution file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// As its metadata writes it.
    pub project: String,
    pub version: String,
    pub filename: String,
    pub bytes: Vec<u8>,
    /// The value of `MARK` in its module.
    pub mark: String,
}

impl Package {
    /// Lower-case hex.
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.bytes))
    }

    /// `project==version`
    pub fn requirement(&self) -> String {
        format!("{}=={}", self.project, self.version)
    }

    /// The name of its module.
    pub fn module(&self) -> String {
        module(&self.project)
    }

    /// The project's normalized name (PEP 503).
    pub fn normalized(&self) -> String {
        self.module().replace('_', "-")
    }

    /// A wheel's `METADATA`: what `<filename>.metadata` is (PEP 658).
    pub fn core_metadata(&self) -> Vec<u8> {
        let mut archive = ZipArchive::new(Cursor::new(&self.bytes)).expect("a wheel");
        let name = format!("{}-{}.dist-info/METADATA", self.module(), self.version);
        let mut bytes = Vec::new();
        archive.by_name(&name).expect("METADATA").read_to_end(&mut bytes).expect("its bytes");
        bytes
    }

    /// What an installer must write of its module, by path.
    pub fn module_files(&self) -> Vec<(String, Vec<u8>)> {
        let wheel = match self.filename.ends_with(".whl") {
            true => self.bytes.clone(),
            false => wheel(&self.project, &self.version).bytes,
        };
        let mut archive = ZipArchive::new(Cursor::new(wheel)).expect("a wheel");
        let names: Vec<_> =
            archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
        let inside =
            names.into_iter().filter(|name| name.starts_with(&format!("{}/", self.module())));
        inside
            .map(|name| {
                let mut bytes = Vec::new();
                archive
                    .by_name(&name)
                    .expect("an entry")
                    .read_to_end(&mut bytes)
                    .expect("its bytes");
                (name, bytes)
            })
            .collect()
    }
}

/// What goes into a wheel.
#[derive(Debug, Clone)]
pub struct Wheel {
    project: String,
    version: String,
    mark: String,
    padding: usize,
    requires: Vec<String>,
}

/// A small wheel.
pub fn wheel(project: &str, version: &str) -> Package {
    Wheel::new(project, version).build()
}

impl Wheel {
    pub fn new(project: &str, version: &str) -> Self {
        Self {
            project: project.into(),
            version: version.into(),
            mark: format!("{project} {version}"),
            padding: 0,
            requires: Vec::new(),
        }
    }

    /// Sets the value of `MARK`: two wheels of one name that can be told apart once they are installed.
    pub fn mark(mut self, mark: &str) -> Self {
        self.mark = mark.into();
        self
    }

    /// Adds so many bytes that do not compress.
    pub fn padding(mut self, bytes: usize) -> Self {
        self.padding = bytes;
        self
    }

    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.into());
        self
    }

    pub fn build(&self) -> Package {
        let stem = format!("{}-{}", module(&self.project), self.version);
        Package {
            project: self.project.clone(),
            version: self.version.clone(),
            filename: format!("{stem}-py3-none-any.whl"),
            bytes: zipped(&self.contents(&stem)),
            mark: self.mark.clone(),
        }
    }

    fn contents(&self, stem: &str) -> Vec<(String, Vec<u8>)> {
        let module = module(&self.project);
        let mut files = vec![(
            format!("{module}/__init__.py"),
            format!("MARK = {:?}\n", self.mark).into_bytes(),
        )];
        if self.padding > 0 {
            files.push((format!("{module}/padding.bin"), noise(self.padding)));
        }
        files.push((format!("{stem}.dist-info/METADATA"), self.metadata().into_bytes()));
        let tags = "Wheel-Version: 1.0\nGenerator: countersign\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        files.push((format!("{stem}.dist-info/WHEEL"), tags.into()));
        let record = record(&files, &format!("{stem}.dist-info/RECORD"));
        files.push((format!("{stem}.dist-info/RECORD"), record.into_bytes()));
        files
    }

    fn metadata(&self) -> String {
        let mut text = format!(
            "Metadata-Version: 2.1\nName: {}\nVersion: {}\nSummary: a project of countersign's tests\n",
            self.project, self.version
        );
        for requirement in &self.requires {
            text.push_str(&format!("Requires-Dist: {requirement}\n"));
        }
        text.push('\n');
        text
    }
}

/// An sdist with a build backend of its own, so that it installs without any other project: the backend
/// hands out the wheel that lies in the sdist.
pub fn sdist(project: &str, version: &str) -> Package {
    let wheel = wheel(project, version);
    let stem = format!("{}-{version}", module(project));
    let backend = format!(
        "import shutil\n\n\ndef build_wheel(folder, config_settings=None, metadata_directory=None):\n    \
         shutil.copy(\"built/{0}\", folder)\n    return \"{0}\"\n",
        wheel.filename
    );
    let pyproject = format!(
        "[project]\nname = {project:?}\nversion = {version:?}\n\n[build-system]\nrequires = []\n\
         build-backend = \"handout\"\nbackend-path = [\"backend\"]\n"
    );
    let files = [
        (
            "PKG-INFO",
            format!("Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n").into_bytes(),
        ),
        ("pyproject.toml", pyproject.into_bytes()),
        ("backend/handout.py", backend.into_bytes()),
        (&format!("built/{}", wheel.filename), wheel.bytes),
    ];
    Package {
        project: project.into(),
        version: version.into(),
        filename: format!("{stem}.tar.gz"),
        bytes: tarred(&stem, &files),
        mark: wheel.mark,
    }
}

/// An upload as twine sends it: content type, and body.
pub fn form(file: &Package) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "countersign-e2e-boundary";
    let digest = file.sha256();
    let kind = if file.filename.ends_with(".whl") { "bdist_wheel" } else { "sdist" };
    let fields = [
        (":action", "file_upload"),
        ("metadata_version", "2.1"),
        ("name", &file.project),
        ("version", &file.version),
        ("filetype", kind),
        ("sha256_digest", &digest),
    ];
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let part = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        file.filename
    );
    body.extend_from_slice(part.as_bytes());
    body.extend_from_slice(&file.bytes);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

fn module(project: &str) -> String {
    project.to_ascii_lowercase().replace(['-', '.'], "_")
}

/// Bytes without a pattern, the same each time (xorshift).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn record(files: &[(String, Vec<u8>)], own_name: &str) -> String {
    let mut text = String::new();
    for (name, bytes) in files {
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(bytes));
        text.push_str(&format!("{name},sha256={digest},{}\n", bytes.len()));
    }
    text.push_str(&format!("{own_name},,\n"));
    text
}

fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(name.as_str(), options).expect("an entry");
        archive.write_all(bytes).expect("its bytes");
    }
    archive.finish().expect("an archive").into_inner()
}

fn tarred(stem: &str, files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let gzip = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, format!("{stem}/{name}"), bytes.as_slice())
            .expect("an entry");
    }
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("an archive")
}
