-- SPDX-License-Identifier: MIT
-- For wrk: ask for the files of a folder in turn, and compare every body with them. Their first word
-- is their name, because a response does not say which request it answers.
-- wrk ... -s bodies.lua URL/ -- FOLDER NAME...

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    good, bad, turn, names, files = 0, 0, 0, {}, {}
    for i = 2, #args do
        local file = assert(io.open(args[1] .. "/" .. args[i], "rb"))
        names[i - 1] = args[i]
        files[args[i]] = file:read("*a")
        file:close()
    end
end

function request()
    turn = turn + 1
    return wrk.format("GET", wrk.path .. names[turn % #names + 1])
end

function response(status, _, body)
    if status == 200 and body == files[body:match("^%w+")] then
        good = good + 1
    else
        bad = bad + 1
    end
end

function done(summary)
    local e = summary.errors
    local right, wrong = 0, 0
    for _, thread in ipairs(threads) do
        right = right + thread:get("good")
        wrong = wrong + thread:get("bad")
    end
    print(string.format("right %d wrong %d errors %d", right, wrong,
        e.connect + e.read + e.write + e.status + e.timeout))
end
