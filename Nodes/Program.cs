using Vivarium.Nodes.Commands;
using Vivarium.Nodes.Hosting;

AppDomain.CurrentDomain.UnhandledException += (_, unhandled) =>
{
    Console.Error.WriteLine("viv: " + BugReport.Describe((Exception)unhandled.ExceptionObject));
    Environment.Exit(Failure.ExitCode);
};

return args switch
{
    [] => Failure.Usage("no command given", ""),
    ["--help" or "-h" or "help", ..] => HelpText.ShowMain(),
    ["--version", ..] => HelpText.ShowVersion(),
    ["run", ..] => RunCommand.Execute(args.AsSpan(1)),
    ["submit", ..] => SubmitCommand.Execute(args.AsSpan(1)),
    ["ps", ..] => JobCommands.List(args.AsSpan(1)),
    ["logs", ..] => JobCommands.Logs(args.AsSpan(1)),
    ["wait", ..] => JobCommands.Wait(args.AsSpan(1)),
    ["cancel", ..] => JobCommands.Cancel(args.AsSpan(1)),
    ["signal", ..] => JobCommands.Signal(args.AsSpan(1)),
    ["inspect", ..] => JobCommands.Inspect(args.AsSpan(1)),
    ["top", ..] => TopCommand.Execute(args.AsSpan(1)),
    ["drain", ..] => TopCommand.Drain(args.AsSpan(1)),
    ["image", ..] => ImageCommand.Execute(args.AsSpan(1)),
    ["test", ..] => TestCommand.Execute(args.AsSpan(1)),
    ["node", ..] => NodeCommand.Execute(args.AsSpan(1)),
    ["trace", ..] => TraceCommand.Execute(args.AsSpan(1)),
    ["bench", ..] => BenchCommand.Execute(args.AsSpan(1)),
    _ => Failure.Usage($"unknown command {args[0]}", ""),
};
