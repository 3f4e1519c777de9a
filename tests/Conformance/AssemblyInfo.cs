using Xunit;

// Cases run one after another: each starts whole process trees of its own.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
