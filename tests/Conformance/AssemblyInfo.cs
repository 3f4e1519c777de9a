using Xunit;

// One lane beside the other; see Lanes.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]
