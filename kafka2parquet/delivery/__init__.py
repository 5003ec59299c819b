"""Delivery: the engine that cuts rows into flushes and gets each flush published and committed exactly once.

Theory of operation
===================

Only two things hold state: the offsets that the consumer group has committed in Kafka, and the published files. Only two
calls change the world: `Storage.publish` (create-only) and `Consumer.commit`. Everything else can be dropped at any moment.

A *flush* is the run of records [start, end) of one topic-partition that becomes visible together. It has one file for each
encoded partition, perhaps a file of rejects, and perhaps files of keys and headers. The file of the first record, a row or a
reject, is the *anchor*; the others are its *siblings*. A flush is delivered in four steps (`deliver`):

1. Stage. Dead letters have arrived, and every file is complete on local disk or in memory.
2. Intent. Commit `start` again, with metadata that names `end` and the anchor's key.
3. Publish, create-only: the anchor first, then its siblings. The anchor's footer lists the siblings (key, rows) and says in
   its *layout* which records belong to which file.
4. End. Commit `end` with a *breadcrumb* as metadata.

A flush without files (tombstones, transaction markers, rejects that are kept nowhere) goes straight to step 4.

Who dies where
--------------

- Before the intent: nothing is left behind. The next owner starts at the committed offset.
- After the intent: the next owner reads exactly [start, end) again and publishes under the recorded anchor name.
- After the anchor: the next owner publishes exactly the siblings that are missing, and commits `end`.
- After the last sibling: the next owner commits `end`.

An owner that doesn't know it is dead (a zombie) does no harm. Kafka refuses its commits. Its uploads are create-only, under
names that contain first offsets, so two flushes that start at one offset have the same first record and want the same anchor
key. Whoever comes second finds the other's footer there, *adopts* the published end, stops publishing the flush as it was
cut, and reads [start, end) again. `deliver` decides from such a footer: the same flush counts as done, another boundary is
adopted, a foreign object is an error.

Where to start, and what comes next
-----------------------------------

An assigned partition delivers nothing until `Recovery` has found a `StartPoint`: a position and a plan for the next flush.

- `NewFlush`: nothing is known. The rotation policy cuts, at the latest where a published flush starts (`limit`).
- `RepeatFlush`: the boundary is recorded in an intent, or was published by another owner. Exactly [position, end) is read.
- `CompleteFlush`: the anchor is published and siblings are missing. [start, end) is read again, and the anchor's layout,
  not today's configuration, decides which records go into the missing files (`completing`).

A committed offset is *trusted* if it carries our metadata, written under the same configuration: it then lies on a published
boundary, and every conflict shows as an object that already has the key. Any other offset may lie anywhere (first start, an
offset set by a tool, another configuration, folders that depend on the clock). In that case published flushes are *discovered*
once, from one listing and the footers of anchors. Until the committed offset has passed all of them, the metadata asks the
next owner to discover again.

The states of a partition
-------------------------

`PartitionEngine` runs two things side by side: it fills the open flush, and it delivers the flush that was cut before. So a
partition is in one of five states (`PartitionState`):

- `STARTING`: recovery looks for the start point. No flush is open, and batches are ignored.
- `FILLING`: the open flush takes rows; nothing is on its way.
- `FILLING_AND_DELIVERING`: the open flush takes rows while the previous flush is delivered.
- `FULL`: a flush is cut and the previous one is not yet delivered. The partition takes nothing, and is paused.
- `DELIVERING_PLANNED`: a flush with a fixed end (a plan, or a limit) is delivered, and nothing is filled beside it.
  Recovery then decides what comes next.

If a delivery finds that another owner was here first, everything read after that flush is dropped, and the partition goes
back to the start point that recovery gives.

How the steps are written
-------------------------

Each step is a generator (`Procedure`) that reads like the protocol. It yields while it waits for the store or for Kafka, and
`PartitionEngine.advance` resumes it in each `SinkTask.step`. A crash, or the end of an assignment, is a generator that is
never resumed. All of this runs on the thread that drives the task; only calls to the store run elsewhere (`calls`).

Which module does what
----------------------

- `partition`: `PartitionEngine`, the states above. `input`: batches on their way in, converted one by one. `rejects`: what
  is done with a reject. `flush`: a flush while it fills, and once it is cut; which rows may share a file; rejects as rows.
- `deliver`: the four steps. `recovery`: start points and plans. `discovery`: published flushes, from listings and footers.
  `completing`: which records go into missing files. `commit_metadata`: the text of intents and breadcrumbs.
- `context`: the parts that all steps share, commits, and the check that a footer is ours. `calls`: calls to the store, and
  their retries. `budget`: the memory limit of all tasks.
  `settings`: the settings of files, rejects and delivery.

`docs/guarantees.md` says what follows for users; `tests/unit/delivery/test_recovery_table.py` runs its table row by row, and
`tests/model` runs this package through crashes, zombies, late commits and rewinds.
"""
