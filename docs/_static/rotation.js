"use strict";

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const MIB = 1 << 20;

/**
 * Computes what a day of steady traffic makes of the rotation settings: the files of each partition, one flush after the other.
 *
 * Numbers that are 0 are off. Records come evenly, in order, and are written as they come.
 *
 * @param settings rate_per_s of the topic, partitions, row_bytes in the file (compressed), folder_s (length of a folder's time),
 *   flush_rows, schedule_s, interval_s, file_bytes, tasks, memory_bytes and upload_part_bytes of the process.
 * @returns files_per_hour of the topic, file_rows and file_bytes on average, freshness_s (oldest row that is not durable),
 *   open_bytes on local disk, memory_bytes of the process; each at most, but for averages.
 */
function rotation(settings) {
  const rate = settings.rate_per_s / settings.partitions;
  let files = 0;
  let longest_s = 0;
  for (let begin_s = 0; begin_s < DAY_S; ) {
    const ends = [DAY_S];
    const next = (period_s) => (Math.floor(begin_s / period_s + 1e-9) + 1) * period_s;
    if (settings.flush_rows > 0) ends.push(begin_s + settings.flush_rows / rate);
    if (settings.file_bytes > 0) ends.push(begin_s + settings.file_bytes / settings.row_bytes / rate);
    if (settings.schedule_s > 0) ends.push(next(settings.schedule_s));
    if (settings.interval_s > 0) ends.push(begin_s + settings.interval_s, next(settings.folder_s));
    const end_s = Math.max(Math.min(...ends), begin_s + 1 / rate);
    longest_s = Math.max(longest_s, end_s - begin_s);
    files += Math.floor((end_s - 1e-6) / settings.folder_s) - Math.floor(begin_s / settings.folder_s + 1e-9) + 1;
    begin_s = end_s;
  }
  const rows = (rate * DAY_S) / files;
  const ends_by_itself = settings.flush_rows > 0 || settings.file_bytes > 0 || settings.schedule_s > 0 || settings.interval_s > 0;
  return {
    files_per_hour: (files * settings.partitions) / 24,
    file_rows: rows,
    file_bytes: rows * settings.row_bytes,
    freshness_s: ends_by_itself ? longest_s : Infinity,
    // one flush is open, and the one before may still be on its way
    open_bytes: 2 * longest_s * settings.rate_per_s * settings.row_bytes,
    memory_bytes: 270 * MIB + (220 * MIB + 4 * settings.upload_part_bytes) * settings.tasks + settings.memory_bytes,
  };
}

if (typeof document !== "undefined") {
  const form = document.getElementById("rotation");
  const number = (name) => Number(form.elements[name].value) || 0;
  const size = (bytes) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    for (; bytes >= 1024 && at < units.length - 1; at++) bytes /= 1024;
    return `${bytes.toPrecision(3)} ${units[at]}`;
  };
  const time = (s) => (s === Infinity ? "no limit" : s < 120 ? `${s.toFixed(0)} s` : s < 7200 ? `${(s / 60).toFixed(0)} min` : `${(s / 3600).toFixed(1)} h`);
  const show = () => {
    const seen = rotation({
      rate_per_s: Math.max(number("rate"), 0.001),
      partitions: Math.max(1, number("partitions")),
      row_bytes: Math.max(1, number("row")),
      folder_s: Math.max(60, number("folder") * 60),
      flush_rows: Math.max(1, number("flush")),
      schedule_s: number("schedule") * 60,
      interval_s: number("interval") * 60,
      file_bytes: number("file") * MIB,
      tasks: Math.max(1, number("tasks")),
      memory_bytes: number("memory") * MIB,
      upload_part_bytes: number("part") * MIB,
    });
    const texts = {
      files: Math.round(seen.files_per_hour).toLocaleString("en"),
      rows: Math.round(seen.file_rows).toLocaleString("en"),
      bytes: size(seen.file_bytes),
      freshness: time(seen.freshness_s),
      open: size(seen.open_bytes),
      process: size(seen.memory_bytes),
    };
    for (const [name, text] of Object.entries(texts)) form.elements[`${name}_out`].value = text;
    const small = seen.file_bytes < 16 * MIB;
    form.elements.advice_out.value = small
      ? "Files below about 16 MiB make queries slow. Take a larger flush.size or target size, a longer period, or fewer partitions."
      : "";
  };
  form.addEventListener("input", show);
  show();
}
