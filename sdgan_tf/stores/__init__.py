"""Files and folders on object stores, by fsspec: `s3://bucket/run`, `gs://…` and whatever else it knows.

What lies on a store is used by way of a working copy on this machine, below the folder that the environment variable
SDGAN_CACHE names (by default one in the temporary directory). `local_copy` brings it up to date: what has not changed since,
by size and checksum or time, is not fetched again. From there on all code works with local files, which it maps into memory,
locks and replaces as always. `sdgan_tf.files` tells the working copy that a path lies in what it has finished or removed.

What holds when the process, the machine or the network ends at any moment:

- A file that `atomic_file` wrote is uploaded right after it is complete here. Files that are appended to, the log and
  TensorBoard's, go before it and checkpoints after all others: whatever a checkpoint on the store counts on is there, too.
- `atomic_folder` first marks the folder on the store by a file `.incomplete`, which is removed when all of it is there. A
  folder that is marked counts as missing here. Other programs see its deepest files first and those at its top last.
- Only what this package removes is removed on the store, after what replaces it was uploaded: old checkpoints, say. A
  working copy that somebody deletes, in part or as a whole, is fetched again.
- What could not be uploaded stays here, and is uploaded first by the next process that uses the same working copy. Where
  others have changed the same files on the store meanwhile, the store is right and the working copy is made like it.
- While a process trains in a working copy, others on this machine use it as it is.

A failing store is asked again for two minutes, or as many seconds as the environment variable SDGAN_PATIENCE says, and one that
takes a request and says nothing has failed after 40 seconds, and later with large files. Two machines that write the same run
or folder at once are not told apart, since stores have no locks. What has a name that begins with a dot is neither fetched nor uploaded.
"""

from sdgan_tf.stores.remote import StoreError, opened
from sdgan_tf.stores.working import copies, local_copy, shown

__all__ = ["StoreError", "copies", "local_copy", "opened", "shown"]
