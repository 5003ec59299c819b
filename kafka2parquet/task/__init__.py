"""SinkTask, which drives one consumer and the engines of its topic-partitions, and what belongs to a task.

`sink_task` is what applications call. `assigned_partitions` holds the engines, `startup` checks the store and the dead letters
before the first poll, `hooks` calls users' functions, and `step_result` is what a step returns.
"""
